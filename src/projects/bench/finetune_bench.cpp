#include "projects/bench/finetune_bench.h"

#include <fmt/format.h>

#include <filesystem>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/subprocess.h"
#include "core/platform/process.h"
#include "engine/measure/machine_rates.h"
#include "models/resolve.h"
#include "projects/bench/results.h"

namespace toolkit::bench {

namespace {

namespace fs = std::filesystem;

void copy_rows(const fs::path& from, const fs::path& to, int count) {
  const std::string text = read_file(from);
  size_t end = 0;
  for (int i = 0; i < count && end < text.size(); ++i) {
    const size_t line_end = text.find('\n', end);
    end = line_end == std::string::npos ? text.size() : line_end + 1;
  }
  write_file_atomically(to, std::string_view(text).substr(0, end));
}

// The rows every program trains on and is tested on.
fs::path make_data(const FinetuneConfig& config) {
  const fs::path folder = fs::path(config.output) / "rows";
  fs::create_directories(folder);
  copy_rows(fs::path(config.data) / "train.jsonl", folder / "train.jsonl", config.train_rows);
  copy_rows(fs::path(config.data) / "valid.jsonl", folder / "valid.jsonl", config.valid_rows);
  return folder;
}

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

Run ours(const FinetuneConfig& config, const std::string& compute, const fs::path& data,
         bool share_prefix = true) {
  const std::string name = "toolkit " + compute + (share_prefix ? "" : " unshared");
  return {name, [=] {
            const fs::path output = fs::path(config.output) / ("adapter-" + name.substr(8));
            fs::remove_all(output);
            return with_share_of_peak(
                run_for_json({platform::own_program(),
                              "finetune",
                              "--model",
                              config.model,
                              "--data",
                              data.string(),
                              "--output",
                              output.string(),
                              "--rank",
                              "8",
                              "--alpha",
                              "16",
                              "--epochs",
                              "1",
                              "--compute",
                              compute,
                              "--batch-tokens",
                              std::to_string(config.batch_tokens),
                              "--seed",
                              std::to_string(config.seed),
                              "--sample",
                              "0",
                              "--json",
                              "--quiet",
                              share_prefix ? "--share-prefix" : "--no-share-prefix"},
                             log_file(config, name)));
          }};
}

Run peer(const FinetuneConfig& config, const std::string& name, const std::string& script,
         const fs::path& data, std::vector<std::string> more) {
  return {name, [=] {
            std::vector<std::string> argv = {config.peers_python,
                                             (fs::path(config.peers_folder) / script).string(),
                                             "--model",
                                             models::resolve_model(config.model).string(),
                                             "--data",
                                             data.string()};
            argv.insert(argv.end(), more.begin(), more.end());
            return run_for_json(argv, log_file(config, name));
          }};
}

}  // namespace

Json bench_finetune(const FinetuneConfig& config,
                    const std::function<void(const std::string&)>& started) {
  const fs::path data = make_data(config);
  std::vector<Run> runs = {ours(config, "f32", data), ours(config, "bf16", data),
                           ours(config, "int8", data), ours(config, "f32", data, false),
                           ours(config, "int8", data, false)};
  if (config.peers) {
    runs.push_back(peer(config, kFinetuneBaseline, "peft_lora.py", data, {}));
    runs.push_back(peer(config, "torch f32 packed", "peft_lora.py", data, {"--rows", "packed"}));
    runs.push_back(peer(config, "torch f32 packed compiled", "peft_lora.py", data,
                        {"--rows", "packed", "--compile"}));
    // Stock MLX takes seconds a token on a CPU: three rows.
    runs.push_back(peer(config, "mlx-lm, 3 steps", "mlx_lm_speed.py", data,
                        {"--cache", config.output, "finetune"}));
  }
  const Json settings = {{"model", config.model},
                         {"data", config.data},
                         {"train_rows", config.train_rows},
                         {"valid_rows", config.valid_rows},
                         {"batch_tokens", config.batch_tokens},
                         {"seed", config.seed},
                         {"rank", 8},
                         {"learning_rate", 2e-4}};
  return measure_runs(config, "finetune", settings, runs, started);
}

std::string finetune_table(const Json& results) {
  return table_of(results,
                  {{"real tokens/s", "tokens_per_second", 1},
                   {"tokens", "tokens"},
                   {"steps", "steps"},
                   {"computed a step", "computed_tokens_per_step"},
                   {"linear GFLOP/s", "linear_flops_per_second", 0, 1e-9},
                   {"% of matmul", "share_of_matrix_product", 0, 100},
                   {"loss before", "validation_loss_before", 4},
                   {"loss after", "validation_loss_after", 4},
                   {"peak GB", "peak_rss_bytes", 2, 1e-9}},
                  "tokens_per_second", kFinetuneBaseline);
}

}  // namespace toolkit::bench
