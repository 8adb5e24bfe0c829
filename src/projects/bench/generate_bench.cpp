#include "projects/bench/generate_bench.h"

#include <algorithm>
#include <filesystem>
#include <memory>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/subprocess.h"
#include "core/tensor/backend.h"
#include "engine/generate/generator.h"
#include "engine/language_model.h"
#include "models/resolve.h"
#include "projects/bench/results.h"

namespace toolkit::bench {

namespace {

namespace fs = std::filesystem;

std::string prompt_text(const engine::LanguageModel& model, const std::string& question) {
  return model.chat.render({{.role = "user", .content = question, .extra_json = ""}},
                           {.add_generation_prompt = true});
}

std::vector<int32_t> repeated(const std::vector<int32_t>& ids, int count) {
  if (ids.empty()) fail(ErrorKind::kUserInput, "--prompt: is empty");
  std::vector<int32_t> result;
  while (result.size() < static_cast<size_t>(count)) {
    result.push_back(ids[result.size() % ids.size()]);
  }
  return result;
}

Json measure(const engine::LanguageModel& model, const GenerateConfig& config, int repeats,
             int prompt_tokens, int tokens) {
  const auto question = model.tokenizer->encode(prompt_text(model, config.prompt), false).ids;
  const auto long_prompt = repeated(question, prompt_tokens);
  double prompt_rate = 0, generation_rate = 0;
  engine::GenerateResult answer;
  for (int i = 0; i < repeats; ++i) {
    engine::Generator generator(model);
    const auto prompted =
        generator.generate(long_prompt, {.max_tokens = 1, .ignore_stop_ids = true});
    prompt_rate = std::max(prompt_rate, prompted.prompt_tokens_per_second());
    generator.forget();
    answer = generator.generate(question, {.max_tokens = tokens, .ignore_stop_ids = true});
    generation_rate = std::max(generation_rate, answer.generation_tokens_per_second());
  }
  return {{"prompt_tokens", prompt_tokens},
          {"prompt_tokens_per_second", prompt_rate},
          {"generation_tokens", tokens},
          {"generation_tokens_per_second", generation_rate},
          {"ids", answer.ids},
          {"text", answer.text}};
}

Run ours(const GenerateConfig& config, const std::string& compute) {
  return {"toolkit " + compute, [=] {
            const auto model =
                engine::load_language_model(config.model, tensor::compute_from_name(compute));
            return measure(model, config, config.repeats, config.prompt_tokens, config.tokens);
          }};
}

// The same program on MLX's own ops: what the wheel gives without our kernels. A few tokens do.
Run plain_graph(const GenerateConfig& config) {
  return {"toolkit on stock MLX ops", [=] {
            tensor::use_plain_graph(true);
            const std::shared_ptr<void> back(nullptr,
                                             [](void*) { tensor::use_plain_graph(false); });
            const auto model = engine::load_language_model(config.model, tensor::Compute::kFloat32);
            return measure(model, config, 1, std::min(config.prompt_tokens, 128), 8);
          }};
}

std::vector<Run> peers(const GenerateConfig& config) {
  const auto path = [config] { return models::resolve_model(config.model).string(); };
  const auto script = [config](const char* name) {
    return (fs::path(config.peers_folder) / name).string();
  };
  const auto log = [config](const char* name) { return fs::path(config.output) / name; };
  const auto text = [config] {
    return prompt_text(engine::load_language_model(config.model, tensor::Compute::kFloat32),
                       config.prompt);
  };
  return {{kGenerateBaseline,
           [=] {
             return run_for_json(
                 {config.peers_python, script("llama_cpp_speed.py"), "--model", path(), "--prompt",
                  text(), "--prompt-tokens", std::to_string(config.prompt_tokens), "--generate",
                  std::to_string(config.tokens)},
                 log("llama-cpp.log"));
           }},
          // Stock MLX takes a while on a CPU: few tokens.
          {"mlx-lm few tokens", [=] {
             return run_for_json(
                 {config.peers_python, script("mlx_lm_speed.py"), "generate", "--model", path(),
                  "--cache", config.output, "--prompt", text(), "--prompt-tokens",
                  std::to_string(std::min(config.prompt_tokens, 128)), "--generate",
                  std::to_string(std::min(config.tokens, 8))},
                 log("mlx-lm.log"));
           }}};
}

}  // namespace

Json bench_generate(const GenerateConfig& config,
                    const std::function<void(const std::string&)>& started) {
  std::vector<Run> runs = {ours(config, "f32"), ours(config, "bf16"), ours(config, "int8"),
                           plain_graph(config)};
  if (config.peers) {
    for (Run& run : peers(config)) runs.push_back(std::move(run));
  }
  const Json settings = {{"model", config.model},
                         {"prompt", config.prompt},
                         {"prompt_tokens", config.prompt_tokens},
                         {"tokens", config.tokens}};
  return measure_runs(config, "generate", settings, runs, started);
}

std::string generate_table(const Json& results) {
  const Column prompt{"prompt tokens/s", "prompt_tokens_per_second", 0};
  const Column generation{"generation tokens/s", "generation_tokens_per_second", 1};
  return table_of(results, {prompt, times(kGenerateBaseline, prompt.key)}) + "\n" +
         table_of(results, {generation, times(kGenerateBaseline, generation.key)});
}

}  // namespace toolkit::bench
