#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/base/paths.h"
#include "projects/generate/command.h"
#include "projects/generate/config.h"
#include "projects/generate/figures.h"

namespace toolkit::generate {

namespace {

constexpr size_t kPromptLimit = size_t{16} << 20;

std::string read_stdin() {
  if (::isatty(STDIN_FILENO) != 0)
    fail(ErrorKind::kUserInput, "no prompt: give --prompt TEXT, --prompt-file FILE, or pipe it in");
  std::string text;
  char buffer[1 << 16];
  while (std::cin.read(buffer, sizeof buffer) || std::cin.gcount() > 0) {
    text.append(buffer, static_cast<size_t>(std::cin.gcount()));
    if (text.size() > kPromptLimit)
      fail(ErrorKind::kUserInput, "the prompt on stdin is larger than {} MB", kPromptLimit >> 20);
  }
  return text;
}

std::string prompt_of(const GenerateConfig& config) {
  if (!config.prompt.empty() && !config.prompt_file.empty())
    fail(ErrorKind::kUserInput, "give either --prompt or --prompt-file, not both");
  if (!config.prompt.empty()) return config.prompt;
  std::string text = config.prompt_file.empty()
                         ? read_stdin()
                         : read_file(expanded_path(config.prompt_file), kPromptLimit);
  if (!config.raw)  // the line end an editor or echo puts behind the text is not part of it
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.empty()) fail(ErrorKind::kUserInput, "the prompt is empty: there is nothing to answer");
  return text;
}

std::vector<int32_t> prompt_ids(const engine::LanguageModel& model, const GenerateConfig& config,
                                const std::string& prompt) {
  if (config.raw) return model.tokenizer->encode(prompt, /*add_special=*/true).ids;
  std::vector<text::Message> messages;
  if (!config.system.empty()) messages.push_back({.role = "system", .content = config.system});
  messages.push_back({.role = "user", .content = prompt});
  const std::string text = model.chat.render(messages, {.add_generation_prompt = true});
  return model.tokenizer->encode(text, /*add_special=*/false).ids;
}

nlohmann::json run(const GenerateConfig& config, const cli::Context& context) {
  if (config.raw && !config.system.empty())
    fail(ErrorKind::kUserInput, "--system needs the chat template: leave out --raw");
  const std::string prompt = prompt_of(config);
  const engine::LanguageModel model = load_model(config.model);
  engine::Generator generator(model);
  const InterruptGuard guard;
  engine::GenerateOptions options{.sampling = sampling_options(config.sampling),
                                  .max_tokens = config.max_tokens,
                                  .stop_texts = config.stop,
                                  .interrupted = InterruptGuard::requested};
  if (!context.json)
    options.on_text = [](std::string_view text) {
      std::fwrite(text.data(), 1, text.size(), stdout);
      std::fflush(stdout);
    };
  const engine::GenerateResult result =
      generator.generate(prompt_ids(model, config, prompt), options);
  if (!context.json && !result.text.ends_with('\n')) std::fputc('\n', stdout);
  std::fflush(stdout);
  if (!context.quiet) fmt::print(stderr, "{}\n", figures_line(result));

  nlohmann::json json = figures_json(result);
  json["text"] = result.text;
  json["model"] = config.model.model;
  json["compute"] = config.model.compute;
  return json;
}

}  // namespace

cli::Command generate_command() {
  const auto config = std::make_shared<GenerateConfig>();
  return {
      .name = "generate",
      .summary = "answer one prompt",
      .description =
          "Streams the answer to stdout; figures go to stderr. The prompt is put into the "
          "model's chat template unless --raw is given. Ctrl-C ends the answer.",
      .examples =
          {"mlx-toolkit generate -m sample://smollm2-135m -p 'Explain tides in one sentence.'",
           "mlx-toolkit generate -m sample://smollm2-135m --adapter my-adapter -p 'Define: anvil'",
           "git diff | mlx-toolkit generate -m ./Qwen3-0.6B --system 'Write a commit message.'",
           "mlx-toolkit generate -m ./model --raw -p 'Once upon a time' --temperature 0.8 --json"},
      .fields = describe(*config),
      .run = [config](const cli::Context& context) { return run(*config, context); }};
}

}  // namespace toolkit::generate
