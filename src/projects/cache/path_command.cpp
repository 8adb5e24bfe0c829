#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "core/model_store/registry/locate.h"
#include "projects/cache/command.h"
#include "projects/cache/session.h"

namespace toolkit::cache {

namespace {

struct Settings {
  std::string model;
};

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  Session session(Session::Use::kRead, "path", context);
  const auto path = model_store::locate_model(
      session.layout(), model_store::model_name_from_identifier(settings.model));
  if (!context.json) fmt::print("{}\n", path.string());  // also when quiet: it is the result
  return {{"path", path.string()}};
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
