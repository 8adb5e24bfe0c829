#include "core/model_store/registry/exchange.h"

#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/files/safe_path.h"
#include "core/model_store/utc_time.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

constexpr const char* kVersionKey = "mlx_cache_export";
constexpr int kVersion = 1;
constexpr size_t kEntries = 1'000'000;

const std::map<std::string, AppKind>& kinds() {
  static const std::map<std::string, AppKind> names{
      {"linked", AppKind::kLinked}, {"program", AppKind::kProgram}, {"seen", AppKind::kSeen}};
  return names;
}

std::string kind_name(AppKind kind) {
  for (const auto& [name, value] : kinds())
    if (value == kind) return name;
  return "";
}

Metadata metadata_of(Registry& registry, const ModelRecord& model) {
  Metadata metadata;
  metadata.name = model.name;
  metadata.revision = model.revision;
  metadata.downloaded_at = model.downloaded_at;
  metadata.endpoint = model.endpoint;
  metadata.partial = model.partial;
  metadata.files = registry.files_of(model.name);
  return metadata;
}

const Json& member(const Json& value, const char* key, const std::string& where) {
  const auto found = value.is_object() ? value.find(key) : value.end();
  if (!value.is_object() || found == value.end())
    fail(ErrorKind::kUserInput, "{}: '{}' is missing: expected what `mlx-cache export` wrote",
         where, key);
  return *found;
}

const Json& list(const Json& value, const char* key, const std::string& where) {
  const Json& found = member(value, key, where);
  if (!found.is_array() || found.size() > kEntries)
    fail(ErrorKind::kUserInput, "{}: '{}': expected a list of at most {}", where, key, kEntries);
  return found;
}

std::string text(const Json& value, const char* key, const std::string& where) {
  const Json& found = member(value, key, where);
  if (!found.is_string() || files::escaped(found.get<std::string>()) != found.get<std::string>())
    fail(ErrorKind::kUserInput, "{}: '{}': expected a text without control characters", where, key);
  return found.get<std::string>();
}

/// A whole export, checked before anything of it is used.
struct Export {
  struct App {
    std::string name;
    fs::path path;
    AppKind kind = AppKind::kLinked;
  };
  struct Usage {
    ModelName model;
    fs::path app;
  };
  std::vector<Metadata> models;
  std::vector<App> apps;
  std::vector<Usage> usage;
};

Export::App parse_app(const Json& value, const std::string& where) {
  Export::App app{text(value, "name", where), text(value, "path", where), AppKind::kLinked};
  const std::string kind = text(value, "kind", where);
  const auto found = kinds().find(kind);
  if (found == kinds().end())
    fail(ErrorKind::kUserInput, "{}: 'kind': expected linked, program or seen, found '{}'", where,
         kind);
  app.kind = found->second;
  if (app.name.empty() || !app.path.is_absolute())
    fail(ErrorKind::kUserInput, "{}: expected a name and an absolute path", where);
  return app;
}

Export parse_export(const std::string& content, const std::string& source) {
  const Json value = parse_json(content, source, /*max_depth=*/16);
  if (member(value, kVersionKey, source) != kVersion)
    fail(ErrorKind::kUserInput, "{}: expected version {} of an export, found {}", source, kVersion,
         value[kVersionKey].dump());
  Export parsed;
  for (const Json& model : list(value, "models", source))
    parsed.models.push_back(parse_metadata(model.dump(), source + ": models"));
  for (const Json& app : list(value, "apps", source))
    parsed.apps.push_back(parse_app(app, source + ": apps"));
  for (const Json& use : list(value, "usage", source)) {
    const std::string where = source + ": usage";
    const Export::Usage usage{parse_model_name(text(use, "model", where)), text(use, "app", where)};
    const bool known = std::any_of(parsed.apps.begin(), parsed.apps.end(),
                                   [&](const Export::App& app) { return app.path == usage.app; });
    if (!known)
      fail(ErrorKind::kUserInput, "{}: the app {} is not in 'apps'", where, usage.app.string());
    parsed.usage.push_back(usage);
  }
  return parsed;
}

}  // namespace

nlohmann::json export_registry(Registry& registry) {
  Json models = Json::array(), apps = Json::array(), usage = Json::array();
  for (const ModelRecord& model : registry.models()) {
    models.push_back(Json::parse(to_json_text(metadata_of(registry, model))));
    for (const AppUse& use : model.uses)
      usage.push_back(
          {{"model", model.name.uri()}, {"app", use.path.string()}, {"last_used", use.last_used}});
  }
  for (const AppRecord& app : registry.apps())
    apps.push_back({{"name", app.name},
                    {"path", app.path.string()},
                    {"kind", kind_name(app.kind)},
                    {"registered_at", app.registered_at}});
  return {{kVersionKey, kVersion},
          {"exported_at", utc_text(now_s())},
          {"models", std::move(models)},
          {"apps", std::move(apps)},
          {"usage", std::move(usage)}};
}

ImportReport import_registry(Registry& registry, const std::string& content,
                             const std::string& source, bool dry_run) {
  const Export parsed = parse_export(content, source);
  ImportReport report;
  for (const Metadata& model : parsed.models) {
    const auto known = registry.find(model.name);
    if (known && known->state == "ready")
      ++report.models_known;
    else
      report.to_add.push_back(model.name);
  }
  report.apps = static_cast<int>(parsed.apps.size());
  if (dry_run) return report;
  store::Transaction all(registry.database());
  for (const Export::App& app : parsed.apps) registry.put_app(app.name, app.path, app.kind);
  for (const Export::Usage& usage : parsed.usage)
    if (registry.find(usage.model)) registry.use(usage.model, usage.app);
  all.commit();
  return report;
}

}  // namespace toolkit::model_store
