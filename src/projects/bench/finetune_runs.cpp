#include "projects/bench/finetune_runs.h"

#include <algorithm>

#include "core/base/json.h"
#include "core/base/subprocess.h"
#include "core/platform/process.h"
#include "engine/measure/machine_rates.h"
#include "models/resolve.h"

namespace toolkit::bench {

namespace {

namespace fs = std::filesystem;

fs::path log_file(const Config& config, std::string name) {
  for (char& c : name) c = c == ' ' ? '-' : c;
  return fs::path(config.output) / (name + ".log");
}

/// Adds what the linear layers reached and its share of MLX's matmul (OpenBLAS on a CPU), measured
/// now: a machine's speed changes from minute to minute.
Json with_share_of_peak(Json result) {
  const double tokens_per_step =
      result.at("tokens").get<double>() / result.at("steps").get<double>();
  const double seconds = tokens_per_step / result.at("tokens_per_second").get<double>();
  const double rate = result.at("linear_flops_per_step").get<double>() / seconds;
  const double peak = engine::machine_rates(true).matrix_product;
  result["linear_flops_per_second"] = rate;
  result["matrix_product_flops_per_second"] = peak;
  result["share_of_matrix_product"] = peak > 0 ? rate / peak : 0.0;
  return result;
}

/// What is measured of a method beside its name.
struct Ours {
  std::string compute = "f32";
  bool share_prefix = true;
};

/// LoRA, with which everything began, is not named: "toolkit f32", "toolkit dora f32".
std::string named(const std::string& program, const std::string& method, const std::string& rest) {
  return program + " " + (method == "lora" ? "" : method + " ") + rest;
}

Run ours(const FinetuneConfig& config, const std::string& method, const fs::path& data,
         const Ours& variant = {}) {
  const std::string name =
      named("toolkit", method, variant.compute + (variant.share_prefix ? "" : " unshared"));
  return {name, [=] {
            const fs::path output = fs::path(config.output) / ("adapter-" + name.substr(8));
            fs::remove_all(output);
            std::vector<std::string> argv = {
                platform::own_program(),
                "finetune",
                "--model",
                config.model,
                "--data",
                data.string(),
                "--output",
                output.string(),
                "--method",
                method,
                "--learning-rate",
                learning_rate_of_method(method),
                "--epochs",
                "1",
                "--compute",
                variant.compute,
                "--batch-tokens",
                std::to_string(config.batch_tokens),
                "--seed",
                std::to_string(config.seed),
                "--sample",
                "0",
                "--json",
                "--quiet",
                variant.share_prefix ? "--share-prefix" : "--no-share-prefix"};
            if (method != "full") argv.insert(argv.end(), {"--rank", "8", "--alpha", "16"});
            return with_share_of_peak(run_for_json(argv, log_file(config, name)));
          }};
}

Run peer(const FinetuneConfig& config, const std::string& name, const std::string& script,
         const fs::path& data, const std::vector<std::string>& more) {
  return {name, [=] {
            std::vector<std::string> argv = {config.peers_python,
                                             (fs::path(config.peers_folder) / script).string(),
                                             "--model",
                                             models::resolve_model(config.model).string(),
                                             "--data",
                                             data.string(),
                                             "--cache",
                                             config.output};
            argv.insert(argv.end(), more.begin(), more.end());
            return run_for_json(argv, log_file(config, name));
          }};
}

Run torch_peer(const FinetuneConfig& config, const std::string& method, const std::string& name,
               const fs::path& data, std::vector<std::string> more = {}) {
  more.insert(more.begin(),
              {"--method", method, "--learning-rate", learning_rate_of_method(method)});
  return peer(config, name, "peft_finetune.py", data, more);
}

void add_lora(const FinetuneConfig& config, const fs::path& data, std::vector<Run>& runs) {
  for (const Ours& variant :
       {Ours{"f32"}, Ours{"bf16"}, Ours{"int8"}, Ours{"f32", false}, Ours{"int8", false}})
    runs.push_back(ours(config, "lora", data, variant));
  if (!config.peers) return;
  runs.push_back(torch_peer(config, "lora", baseline_of_method("lora"), data));
  runs.push_back(torch_peer(config, "lora", "torch f32 packed", data, {"--rows", "packed"}));
  runs.push_back(torch_peer(config, "lora", "torch f32 packed compiled", data,
                            {"--rows", "packed", "--compile"}));
  // Stock MLX takes seconds a token on a CPU: three rows.
  runs.push_back(peer(config, "mlx-lm 3 steps", "mlx_lm_speed.py", data, {"finetune"}));
}

void add_method(const FinetuneConfig& config, const std::string& method, const fs::path& data,
                std::vector<Run>& runs) {
  if (method == "lora") return add_lora(config, data, runs);
  runs.push_back(ours(config, method, data));
  if (!config.peers) return;
  runs.push_back(torch_peer(config, method, baseline_of_method(method), data));
  if (method == "full")
    runs.push_back(torch_peer(config, method, "torch full f32 packed", data, {"--rows", "packed"}));
}

}  // namespace

std::string baseline_of_method(const std::string& method) {
  const auto& known = finetune_methods();
  if (std::find(known.begin(), known.end(), method) == known.end()) return "";
  return named(method == "full" ? "torch" : "PEFT", method, "f32 padded");
}

std::string learning_rate_of_method(const std::string& method) {
  return method == "full" ? "2e-5" : "2e-4";
}

std::vector<Run> finetune_runs(const FinetuneConfig& config, const fs::path& data) {
  std::vector<Run> runs;
  for (const std::string& method : config.only.empty() ? config.methods : finetune_methods())
    add_method(config, method, data, runs);
  return runs;
}

}  // namespace toolkit::bench
