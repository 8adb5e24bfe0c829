#include "projects/cache/status_page.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/paths.h"
#include "core/files/disk_space.h"
#include "core/files/safe_path.h"
#include "core/model_store/utc_time.h"
#include "projects/cache/page.h"

namespace toolkit::cache {

namespace {

using model_store::AppKind;
using model_store::AppRecord;
using model_store::AppUse;
using model_store::Fault;
using model_store::ModelRecord;

const char* kind_name(AppKind kind) {
  constexpr const char* kNames[] = {"linked", "program", "seen"};
  return kNames[static_cast<int>(kind)];
}

std::string users(const ModelRecord& model) {
  std::string names;
  for (const AppUse& use : model.uses)
    names += (names.empty() ? "" : ", ") + files::escaped(use.name);
  return names.empty() ? "-" : names;
}

std::string state_of(const ModelRecord& model) {
  return model.state == "ready" && model.is_symlink ? "found" : model.state;
}

/// A path is shown shorter, in a spelling that every command takes.
std::string shown_name(const ModelRecord& model) {
  const bool local = model.name.source == model_store::Source::kLocal;
  return files::escaped(local ? shown_path(model.name.identifier) : model.name.uri());
}

Tone tone_of(const ModelRecord& model) {
  if (model.state == "damaged") return Tone::kFault;
  return model.state == "missing" ? Tone::kWarning : Tone::kPlain;
}

void add_models(Page& page, const Status& status, int64_t now, bool verbose) {
  report::Table table{.header = {"Model", "Size", "Used by", "Last used", "State"}};
  if (verbose) table.header.emplace_back("Path");
  std::vector<Tone> tones;
  for (const ModelRecord& model : status.models) {
    table.rows.push_back({shown_name(model), files::shown_bytes(model.size_bytes), users(model),
                          model_store::shown_age(model.last_used, now), state_of(model)});
    if (verbose) table.rows.back().push_back(files::escaped(shown_path(model.local_path)));
    tones.push_back(tone_of(model));
  }
  page.gap();
  page.table(table, tones);
}

void add_apps(Page& page, const Status& status) {
  report::Table table{.header = {"App", "Models", "Path"}};
  for (const AppRecord& app : status.apps)
    table.rows.push_back({files::escaped(app.name), fmt::format("{}", app.models),
                          files::escaped(shown_path(app.path))});
  page.gap();
  page.table(table);
}

void add_faults(Page& page, const Status& status) {
  if (!status.checked) return;
  page.gap();
  if (status.faults.empty()) page.line("Every file is there in full.", Tone::kGood);
  for (const Fault& fault : status.faults)
    page.line(fmt::format("{} {}: expected {}, found {}; {}", files::escaped(fault.model.uri()),
                          files::escaped(fault.file), fault.expected, fault.found, fault.next_step),
              Tone::kFault);
}

void add_total(Page& page, const Status& status) {
  page.gap();
  uint64_t found = 0, damaged = 0;
  for (const ModelRecord& model : status.models) {
    found += model.is_symlink ? 1 : 0;
    damaged += model.state != "ready" ? 1 : 0;
  }
  const uint64_t kept = status.kept_bytes();
  std::string line = fmt::format("{}, {} kept here", counted(status.models.size(), "model"),
                                 files::shown_bytes(kept));
  if (found > 0) line += fmt::format(", {} shown from other programs", found);
  page.line(line + ".");
  if (status.limit_bytes > 0)
    page.line(fmt::format("{} of {}", bar(static_cast<double>(kept) / status.limit_bytes),
                          files::shown_bytes(static_cast<uint64_t>(status.limit_bytes))),
              static_cast<double>(kept) > status.limit_bytes ? Tone::kWarning : Tone::kPlain);
  if (damaged > 0)
    page.line(fmt::format("{} not whole: `mlx-cache verify` says why, `mlx-cache add` mends.",
                          counted(damaged, "model")),
              Tone::kWarning);
}

}  // namespace

uint64_t Status::kept_bytes() const {
  uint64_t bytes = 0;
  for (const ModelRecord& model : models)
    if (!model.is_symlink && model.state != "missing") bytes += model.size_bytes;
  return bytes;
}

std::string to_page(const Status& status, int64_t now, bool verbose, bool color) {
  Page page(color);
  const std::string folder = files::escaped(shown_path(status.layout.root));
  if (!status.present) {
    page.line(
        fmt::format("There is no model cache at {} yet (or its volume is not mounted).", folder));
    page.line(
        "`mlx-cache add hf://org/model` makes it; `mlx-cache sync` shows what Ollama, Hugging "
        "Face and LM Studio have.");
    return page.text();
  }
  page.heading("Models in " + folder);
  if (status.models.empty())
    page.line(
        "None yet: `mlx-cache add hf://org/model`, or `mlx-cache sync` for those other "
        "programs have.");
  else
    add_models(page, status, now, verbose);
  if (!status.apps.empty()) add_apps(page, status);
  add_faults(page, status);
  if (!status.models.empty()) add_total(page, status);
  return page.text();
}

nlohmann::json to_json(const Status& status) {
  nlohmann::json models = nlohmann::json::array(), apps = nlohmann::json::array();
  for (const ModelRecord& model : status.models) {
    nlohmann::json uses = nlohmann::json::array();
    for (const AppUse& use : model.uses)
      uses.push_back({{"name", use.name},
                      {"path", use.path.string()},
                      {"kind", kind_name(use.kind)},
                      {"last_used", use.last_used}});
    models.push_back({{"model", model.name.uri()},
                      {"source", model_store::source_name(model.name.source)},
                      {"identifier", model.name.identifier},
                      {"path", model.local_path.string()},
                      {"size_bytes", model.size_bytes},
                      {"revision", model.revision},
                      {"checksum", model.checksum},
                      {"downloaded_at", model.downloaded_at},
                      {"last_used", model.last_used},
                      {"is_symlink", model.is_symlink},
                      {"state", model.state},
                      {"apps", std::move(uses)}});
  }
  for (const AppRecord& app : status.apps)
    apps.push_back({{"name", app.name},
                    {"path", app.path.string()},
                    {"kind", kind_name(app.kind)},
                    {"registered_at", app.registered_at},
                    {"models", app.models}});
  nlohmann::json value{{"cache_dir", status.layout.root.string()},
                       {"present", status.present},
                       {"models", std::move(models)},
                       {"apps", std::move(apps)},
                       {"kept_bytes", status.kept_bytes()},
                       {"limit_bytes", static_cast<uint64_t>(status.limit_bytes)}};
  if (!status.checked) return value;
  value["ok"] = status.faults.empty();
  value["faults"] = nlohmann::json::array();
  for (const Fault& fault : status.faults)
    value["faults"].push_back({{"model", fault.model.uri()},
                               {"file", fault.file},
                               {"expected", fault.expected},
                               {"found", fault.found},
                               {"next_step", fault.next_step}});
  return value;
}

}  // namespace toolkit::cache
