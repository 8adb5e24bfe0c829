#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/paths.h"
#include "core/base/settings_file.h"
#include "core/model_store/settings.h"
#include "projects/cache/command.h"
#include "projects/cache/page.h"
#include "projects/cache/session.h"

namespace toolkit::cache {

namespace {

constexpr const char* kListing = "mlx-cache config";

struct Settings {
  std::string key;
  std::vector<std::string> values;
  Options options;
};

/// Every setting with its value and where that is from, as one object.
nlohmann::json values_now() {
  model_store::Settings now = model_store::load_settings();
  return nlohmann::json::parse(fields_to_json(model_store::describe(now)));
}

std::string in_words(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// Throws for what the setting may not have.
void check_value(const std::string& key, const std::vector<std::string>& values) {
  model_store::Settings wanted;
  const Fields fields = model_store::describe(wanted);
  const Field& field = find_setting(fields, key, kListing);
  set_field(field, values, key);
  check_fields({field});
}

void print_all(const nlohmann::json& values, bool color) {
  Page page(color);
  report::Table table{.header = {"Setting", "Value", "From", "What it is"}};
  model_store::Settings described;
  const Fields fields = model_store::describe(described);
  const auto origins = model_store::setting_origins();
  for (size_t at = 0; at < origins.size(); ++at)
    table.rows.push_back({origins[at].first, in_words(values.at(origins[at].first)),
                          origins[at].second, fields[at].help});
  page.table(table);
  page.gap();
  page.line("Change one: mlx-cache config max_cache_size_gb 200");
  fmt::print("{}", page.text());
}

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  nlohmann::json values = values_now();
  if (settings.key.empty()) {
    if (!context.quiet) print_all(values, context.color);
    nlohmann::json origins = nlohmann::json::object();
    for (const auto& [key, from] : model_store::setting_origins()) origins[key] = from;
    return {{"settings", values},
            {"from", origins},
            {"cache_dir", model_store::default_layout().root.string()}};
  }
  model_store::Settings described;
  const std::string key =
      setting_key(find_setting(model_store::describe(described), settings.key, kListing).name);
  const bool changes =
      std::find(context.given.begin(), context.given.end(), "values") != context.given.end();
  if (!changes) {
    if (!context.json) fmt::print("{}\n", in_words(values.at(key)));
    return {{key, values.at(key)}};
  }
  const auto before = model_store::default_layout().root;
  if (settings.options.dry_run) {
    check_value(key, settings.values);
    if (!context.quiet) fmt::print("{}: {} would be changed\n", key, in_words(values.at(key)));
    return {{key, values.at(key)}, {"dry_run", true}};
  }
  model_store::save_setting(key, settings.values);
  values = values_now();
  if (!context.quiet) {
    fmt::print("{}: {}\n", key, in_words(values.at(key)));
    const auto after = model_store::default_layout().root;
    if (key == "cache_dir" && after != before)
      fmt::print("Models in {} are not moved: move the folder yourself, then `mlx-cache repair`.\n",
                 shown_path(before));
  }
  return {{key, values.at(key)}};
}

}  // namespace

cli::Command config_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "config",
          .summary = "show or change settings",
          .examples = {"mlx-cache config", "mlx-cache config max_cache_size_gb 200",
                       "mlx-cache config folders ~/models ~/old-models"},
          .fields = {{.name = "key",
                      .target = &settings->key,
                      .help = "the setting to show or change",
                      .positional = true},
                     {.name = "values",
                      .target = &settings->values,
                      .help = "its new value, several for a list",
                      .positional = true},
                     dry_run_field(settings->options)},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache
