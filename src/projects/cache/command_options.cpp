#include "projects/cache/command_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/files/safe_path.h"
#include "core/model_store/layout.h"
#include "core/model_store/settings.h"
#include "projects/cache/session.h"

namespace toolkit::cache {

namespace {

std::string shown(const std::filesystem::path& path) {
  return path.empty() ? "none" : files::escaped(shown_path(path));
}

void tell_where() {
  std::set<std::string> files;
  for (const auto& [key, from] : model_store::setting_origins()) files.insert(from);
  if (files.size() > 1) files.erase("default");
  std::string settings;
  for (const std::string& from : files) settings += (settings.empty() ? "" : ", ") + from;
  fmt::print(stderr, "cache     {}\nsettings  {}\nlog       {}\n",
             shown(model_store::default_layout().root), files::escaped(settings),
             shown(log_file()));
}

}  // namespace

cli::Command with_options_everywhere(cli::Command command) {
  const auto lacks = [&](const std::string& name) {
    return std::none_of(command.fields.begin(), command.fields.end(),
                        [&](const Field& field) { return field.name == name; });
  };
  const auto options = std::make_shared<Options>();
  Fields added;
  if (lacks("dry-run")) {
    added.push_back(dry_run_field(*options));
    added.back().help = "change nothing (it never does)";
  }
  if (lacks("yes")) {
    added.push_back(yes_field(*options));
    added.back().help = "do not ask (it never does)";
  }
  const bool verbose = lacks("verbose");
  if (verbose) {
    added.push_back(verbose_field(*options));
    added.back().help = "say which cache, settings and log it works with";
  }
  for (Field& field : added) command.fields.push_back(std::move(field));
  command.run = [options, verbose, run = std::move(command.run)](const cli::Context& context) {
    if (verbose && options->verbose && !context.quiet) tell_where();
    return run(context);
  };
  return command;
}

}  // namespace toolkit::cache
