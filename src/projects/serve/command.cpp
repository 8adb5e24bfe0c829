#include "projects/serve/command.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "projects/serve/config.h"
#include "projects/serve/run.h"

namespace toolkit::serve {

namespace {

nlohmann::json run_command(const Config& config, const cli::Context& context) {
  std::string url;
  const auto say = [&](const std::string& text) {
    if (context.quiet) return;
    fmt::print(context.json ? stderr : stdout, "{}\n", text);
    std::fflush(context.json ? stderr : stdout);
  };
  const Ended ended = run(
      config,
      [&](const Started& started) {
        url = started.url;
        say(fmt::format("Listening on {}{}", url,
                        started.needs_token ? " (a token is needed)" : ""));
      },
      [&] {
        say(
            fmt::format("Ready. OpenAI clients: base_url {}/v1. Ollama clients: OLLAMA_HOST={}. "
                        "Ctrl-C ends.",
                        url, url));
      });
  if (!ended.drained) say("Some answers were cut off.");
  return {{"url", url}, {"drained", ended.drained}};
}

}  // namespace

cli::Command serve_command() {
  const auto config = std::make_shared<Config>();
  return {.name = "serve",
          .summary = "serve models to clients of the OpenAI and Ollama APIs",
          .description =
              "Answers /v1/... and /api/... on this machine, many requests at once, with adapters "
              "as models of their own. Models that are asked for are loaded and unloaded when they "
              "are no longer used. Ctrl-C or SIGTERM lets running answers finish.",
          .examples = {"mlx-toolkit serve -m sample://smollm2-135m",
                       "mlx-toolkit serve -m sample://smollm2-135m --adapter dictionary=my-adapter",
                       "mlx-toolkit serve --host 0.0.0.0 --token-file ~/.serve-token",
                       "OLLAMA_HOST=127.0.0.1:8080 ollama run smollm2:135m"},
          .fields = describe(*config),
          .run = [config](const cli::Context& context) { return run_command(*config, context); }};
}

}  // namespace toolkit::serve
