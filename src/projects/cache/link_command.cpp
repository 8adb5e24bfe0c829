#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/paths.h"
#include "core/files/safe_path.h"
#include "core/model_store/folders/app_folder.h"
#include "core/model_store/upkeep/keep_found.h"
#include "projects/cache/command.h"
#include "projects/cache/page.h"
#include "projects/cache/session.h"

namespace toolkit::cache {

namespace {

struct Settings {
  std::string app, name;
  std::vector<std::string> models;
  Options options;
};

/// The models that were named, all of them known, before anything is written.
std::vector<model_store::ModelRecord> named_models(Session& session,
                                                   const std::vector<std::string>& names) {
  std::vector<model_store::ModelRecord> models;
  for (const std::string& text : names) {
    const auto name = model_store::model_name_from_identifier(text);
    auto model = session.registry().find(name);
    if (!model)
      fail(ErrorKind::kNotFound, "{} is not in the cache: `mlx-cache add {}` brings it", name.uri(),
           name.uri());
    models.push_back(std::move(*model));
  }
  return models;
}

void print_linked(const std::string& name, const std::vector<model_store::ModelRecord>& models,
                  const Settings& settings) {
  fmt::print("{}{} is registered{}.\n", settings.options.dry_run ? "Would be done: " : "",
             files::escaped(name),
             models.empty() ? "" : ", user of " + counted(models.size(), "model"));
  for (const model_store::ModelRecord& model : models) {
    fmt::print("  {}\n", model.name.uri());
    if (model.is_symlink && !settings.options.dry_run)
      fmt::print("    was only shown from another program; now kept here too, without a copy\n");
  }
  if (models.empty())
    fmt::print("`mlx-cache sync` looks into its folder for models; --model names those it uses.\n");
}

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  const auto app = model_store::describe_app(
      std::filesystem::absolute(expanded_path(settings.app)).lexically_normal());
  const std::string name = settings.name.empty() ? app.name : settings.name;
  Session session(settings.options.dry_run ? Session::Use::kRead : Session::Use::kAdd,
                  "link " + name, context);
  const auto models = named_models(session, settings.models);
  if (!settings.options.dry_run) {
    session.registry().put_app(name, app.path);
    for (const auto& model : models) {
      // What is linked must not vanish with the program that had it first.
      model_store::keep_found_model(session.registry(), session.layout(), model.name);
      session.registry().use(model.name, app.path);
    }
  }
  if (!context.quiet) print_linked(name, models, settings);
  nlohmann::json list = nlohmann::json::array();
  for (const auto& model : models) list.push_back(model.name.uri());
  return {{"app", name},
          {"path", app.path.string()},
          {"models", list},
          {"dry_run", settings.options.dry_run}};
}

}  // namespace

cli::Command link_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "link",
          .summary = "register an app, so that the cache knows what it uses",
          .description =
              "Looks into the app's folder for models it has; with --model it is noted as a user "
              "of models of the cache. Nothing that an app is linked to is ever removed.",
          .examples = {"mlx-cache link /Applications/MLXApp.app",
                       "mlx-cache link ~/code/chat --model hf://org/model"},
          .fields = {{.name = "app-path",
                      .target = &settings->app,
                      .help = "folder or .app of the app",
                      .required = true,
                      .positional = true},
                     {.name = "name",
                      .target = &settings->name,
                      .help = "name shown in status (default: from the app)"},
                     {.name = "model",
                      .target = &settings->models,
                      .help = "a model it uses (repeatable)"},
                     dry_run_field(settings->options)},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache
