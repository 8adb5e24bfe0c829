#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "projects/cache/command.h"
#include "projects/cache/session.h"

namespace toolkit::cache {

namespace {

struct Settings {
  std::string model;
};

nlohmann::json run(const Settings&, const cli::Context&) {
  fail(ErrorKind::kUnsupported, "path: not in this version yet");
}

}  // namespace

cli::Command path_command() {
  const auto settings = std::make_shared<Settings>();
  return {
      .name = "path",
      .summary = "print where a model lies",
      .description = "For scripts and other programs: the folder of a model, or its .gguf.",
      .examples = {"mlx-cache path hf://org/model",
                   "llama-cli -m \"$(mlx-cache path ollama://llama3.2:1b)\""},
      .fields =
          {{.name = "model",
            .target = &settings->model,
            .help = "hf://org/model, ollama://name:tag, file:///path or a name that `status` shows",
            .required = true,
            .positional = true}},
      .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache
