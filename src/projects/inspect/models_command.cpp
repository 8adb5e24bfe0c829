#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "core/base/paths.h"
#include "core/checkpoint/model_files.h"
#include "core/report/table.h"
#include "models/resolve.h"
#include "projects/inspect/command.h"
#include "projects/inspect/model_card.h"

namespace toolkit::inspect {

namespace {

nlohmann::json list(const cli::Context& context) {
  nlohmann::json models = nlohmann::json::array();
  report::Table table{{"name", "what", "where"}, {}};
  std::vector<models::SampleModel> samples = models::sample_models();
  for (models::SampleModel& encoder : models::sample_encoders())
    samples.push_back(std::move(encoder));
  for (const models::SampleModel& sample : samples) {
    const bool there = !sample.path.empty();
    table.rows.push_back({sample.name, sample.description,
                          there ? shown_path(sample.path) : "not installed: make setup"});
    models.push_back({{"name", sample.name},
                      {"description", sample.description},
                      {"path", sample.path.string()},
                      {"installed", there}});
  }
  if (!context.quiet)
    fmt::print("{}\nAny Hugging Face folder or .gguf file can be named by its path.\n",
               report::to_text(table));
  return {{"models", models}};
}

nlohmann::json info(const std::string& name, const cli::Context& context) {
  const auto files = checkpoint::open_model_files(models::resolve_model(name));
  const ModelCard card = describe_model(*files);
  if (!context.quiet) fmt::print("{}", to_page(card));
  nlohmann::json value = to_json(card);
  value["name"] = name;
  return value;
}

nlohmann::json resolve(const std::string& name, const cli::Context& context) {
  const std::string path = models::resolve_model(name).string();
  if (!context.quiet) fmt::print("{}\n", path);
  return {{"name", name}, {"path", path}};
}

Field model_field(std::string& target) {
  return {.name = "model",
          .target = &target,
          .help = "folder, .gguf file or a name of `models list`",
          .required = true,
          .positional = true};
}

}  // namespace

cli::Command models_command() {
  const auto name = std::make_shared<std::string>();
  return {.name = "models",
          .summary = "list, describe and find models",
          .examples = {"mlx-toolkit models list", "mlx-toolkit models info sample://smollm2-135m"},
          .subcommands = {
              {.name = "list",
               .summary = "models that can be used by name",
               .examples = {"mlx-toolkit models list", "mlx-toolkit models list --json"},
               .run = list},
              {.name = "info",
               .summary = "family, size and parts of a model, without loading it",
               .examples = {"mlx-toolkit models info sample://smollm2-135m",
                            "mlx-toolkit models info ./Qwen3-0.6B --json"},
               .fields = {model_field(*name)},
               .run = [name](const cli::Context& context) { return info(*name, context); }},
              {.name = "resolve",
               .summary = "the file or folder behind a model's name",
               .examples = {"mlx-toolkit models resolve sample://smollm2-135m"},
               .fields = {model_field(*name)},
               .run = [name](const cli::Context& context) { return resolve(*name, context); }}}};
}

}  // namespace toolkit::inspect
