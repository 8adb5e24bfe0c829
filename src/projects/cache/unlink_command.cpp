#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/paths.h"
#include "core/files/safe_path.h"
#include "projects/cache/command.h"
#include "projects/cache/session.h"

namespace toolkit::cache {

namespace {

struct Settings {
  std::string app;
  std::vector<std::string> models;
  Options options;
};

/// By its path, with links followed or not (the app itself may be gone), or by its name.
model_store::AppRecord find_app(Session& session, const std::string& text) {
  const auto apps = session.registry().apps();
  const std::filesystem::path given =
      std::filesystem::absolute(expanded_path(text)).lexically_normal();
  std::error_code error;
  const std::filesystem::path real = std::filesystem::weakly_canonical(given, error);
  std::vector<model_store::AppRecord> found;
  for (const auto& app : apps)
    if (app.path == given || app.path / "" == given || app.path == real || app.name == text)
      found.push_back(app);
  if (found.size() == 1) return found.front();
  std::string known;
  for (const auto& app : apps) known += "\n  " + app.path.string();
  fail(ErrorKind::kNotFound, "{}: {}{}", files::escaped(text),
       found.empty() ? "no such app is registered" : "several apps have this name; name the path",
       known.empty() ? "" : ". Registered are:" + known);
}

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  Session session(settings.options.dry_run ? Session::Use::kRead : Session::Use::kAdd,
                  "unlink " + settings.app, context);
  const auto app = find_app(session, settings.app);
  nlohmann::json released = nlohmann::json::array();
  for (const std::string& text : settings.models) {
    const auto name = model_store::model_name_from_identifier(text);
    if (!session.registry().find(name))
      fail(ErrorKind::kNotFound, "{} is not in the cache", name.uri());
    if (!settings.options.dry_run) session.registry().release(name, app.path);
    released.push_back(name.uri());
  }
  const bool whole = settings.models.empty();
  if (whole && !settings.options.dry_run) session.registry().remove_app(app.path);
  if (!context.quiet)
    fmt::print("{}{}.\n", settings.options.dry_run ? "Would be done: " : "",
               whole ? files::escaped(app.name) +
                           " is no longer registered; models only it used can "
                           "be removed by `mlx-cache clean`"
                     : files::escaped(app.name) + " no longer uses " +
                           std::to_string(released.size()) + " of its models");
  return {{"app", app.name},
          {"path", app.path.string()},
          {"unregistered", whole},
          {"released", released},
          {"dry_run", settings.options.dry_run}};
}

}  // namespace

cli::Command unlink_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "unlink",
          .summary = "unregister an app",
          .examples = {"mlx-cache unlink /Applications/MLXApp.app"},
          .fields = {{.name = "app-path",
                      .target = &settings->app,
                      .help = "folder or .app of the app",
                      .required = true,
                      .positional = true},
                     {.name = "model",
                      .target = &settings->models,
                      .help = "only this model (repeatable); without: the whole app"},
                     dry_run_field(settings->options)},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache
