#include "projects/track/run_store.h"

#include <cmath>

#include "core/base/error.h"
#include "core/files/safe_path.h"

namespace toolkit::track {

namespace {

constexpr const char* kRunColumns =
    "SELECT id, kind, status, parent, folder, started, ended, seconds, host, pid, process_start, "
    "summary FROM runs ";

Json parsed(const std::string& text) {
  Json value = Json::parse(text, nullptr, false);
  return value.is_discarded() ? Json() : value;
}

std::optional<double> number_in(const Json& object, const std::string& name) {
  if (!object.is_object()) return {};
  if (const auto found = object.find(name); found != object.end())
    return found->is_number() ? std::optional<double>(found->get<double>()) : std::nullopt;
  const size_t dot = name.find('.');
  if (dot == std::string::npos || !object.contains(name.substr(0, dot))) return {};
  return number_in(object[name.substr(0, dot)], name.substr(dot + 1));
}

}  // namespace

std::string Run::model() const {
  return parameters.contains("model") && parameters["model"].is_string()
             ? parameters["model"].get<std::string>()
             : "";
}

std::optional<double> Run::number(const std::string& name) const {
  if (name == "seconds") return seconds;
  const auto found = number_in(summary, name);
  return found ? found : number_in(parameters, name);
}

void RunStore::begin(const report::RunStart& start) {
  store::Transaction transaction(database_);
  database_
      .prepare(
          "INSERT INTO runs (id, kind, status, parent, folder, started, host, pid, process_start) "
          "VALUES (?, ?, 'running', ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
          "status = 'running', folder = excluded.folder, host = excluded.host, pid = excluded.pid, "
          "process_start = excluded.process_start, ended = NULL")
      .bind(1, start.id)
      .bind(2, start.kind)
      .bind(3, start.parent)
      .bind(4, start.folder.string())
      .bind(5, start.started)
      .bind(6, start.host)
      .bind(7, int64_t{start.pid})
      .bind(8, start.process_start)
      .run();
  transaction.commit();
}

void RunStore::set_parameters(const std::string& id, const Json& values) {
  store::Transaction transaction(database_);
  store::Statement insert =
      database_.prepare("INSERT OR REPLACE INTO parameters (run, name, value) VALUES (?, ?, ?)");
  for (const auto& [name, value] : values.items())
    insert.bind(1, id).bind(2, name).bind(3, value.dump()).run();
  transaction.commit();
}

void RunStore::add_metrics(const std::string& id, std::span<const MetricPoint> points) {
  store::Transaction transaction(database_);
  store::Statement insert = database_.prepare(
      "INSERT OR REPLACE INTO metrics (run, name, step, value) VALUES (?, ?, ?, ?)");
  for (const MetricPoint& point : points) {
    insert.bind(1, id).bind(2, point.name).bind(3, point.step);
    if (point.value)
      insert.bind(4, *point.value);
    else
      insert.bind_null(4);
    insert.run();
  }
  transaction.commit();
}

void RunStore::add_artifact(const std::string& id, const Artifact& artifact) {
  database_.prepare("INSERT OR REPLACE INTO artifacts (run, path, description) VALUES (?, ?, ?)")
      .bind(1, id)
      .bind(2, artifact.path)
      .bind(3, artifact.description)
      .run();
}

void RunStore::set_tag(const std::string& id, const std::string& name, const std::string& value) {
  database_.prepare("INSERT OR REPLACE INTO tags (run, name, value) VALUES (?, ?, ?)")
      .bind(1, id)
      .bind(2, name)
      .bind(3, value)
      .run();
}

void RunStore::finish(const std::string& id, const std::string& status, const std::string& ended,
                      std::optional<double> seconds, const Json& summary) {
  store::Statement update = database_.prepare(
      "UPDATE runs SET status = ?, ended = ?, seconds = ?, summary = ? WHERE id = ?");
  update.bind(1, status).bind(2, ended);
  if (seconds)
    update.bind(3, *seconds);
  else
    update.bind_null(3);
  const Json kept = summary.is_object() ? summary : Json::object();
  update.bind(4, kept.dump(-1, ' ', false, Json::error_handler_t::replace)).bind(5, id).run();
}

void RunStore::set_status(const std::string& id, const std::string& status) {
  database_.prepare("UPDATE runs SET status = ? WHERE id = ?").bind(1, status).bind(2, id).run();
}

Run RunStore::read_run(store::Statement& row) {
  Run run{.start = {.id = row.text(0),
                    .kind = row.text(1),
                    .folder = row.text(4),
                    .parent = row.text(3),
                    .started = row.text(5),
                    .host = row.text(8),
                    .pid = static_cast<int>(row.integer(9)),
                    .process_start = row.text(10)},
          .status = row.text(2),
          .ended = row.text(6)};
  if (!row.is_null(7)) run.seconds = row.real(7);
  run.summary = parsed(row.text(11));
  store::Statement parameters =
      database_.prepare("SELECT name, value FROM parameters WHERE run = ?");
  parameters.bind(1, run.start.id);
  while (parameters.step()) run.parameters[parameters.text(0)] = parsed(parameters.text(1));
  store::Statement artifacts =
      database_.prepare("SELECT path, description FROM artifacts WHERE run = ?");
  artifacts.bind(1, run.start.id);
  while (artifacts.step()) run.artifacts.push_back({artifacts.text(0), artifacts.text(1)});
  store::Statement tags = database_.prepare("SELECT name, value FROM tags WHERE run = ?");
  tags.bind(1, run.start.id);
  while (tags.step()) run.tags[tags.text(0)] = tags.text(1);
  return run;
}

std::vector<Run> RunStore::list(const RunFilter& filter) {
  store::Statement rows = database_.prepare(
      std::string(kRunColumns) +
      "WHERE (?1 = '' OR kind = ?1) AND (?2 = '' OR status = ?2) AND (?3 = '' OR parent = ?3) "
      "AND started >= ?4 ORDER BY started DESC, rowid DESC");
  rows.bind(1, filter.kind).bind(2, filter.status).bind(3, filter.parent).bind(4, filter.since);
  std::vector<Run> runs;
  while (rows.step()) {
    Run run = read_run(rows);
    if (run.model().find(filter.model) != std::string::npos) runs.push_back(std::move(run));
  }
  return runs;
}

bool RunStore::knows(const std::string& id) {
  store::Statement rows = database_.prepare("SELECT 1 FROM runs WHERE id = ?");
  return rows.bind(1, id).step();
}

Run RunStore::find(const std::string& id) {
  // substr and not LIKE: `%` and `_` in what somebody typed are letters.
  store::Statement rows =
      database_.prepare(std::string(kRunColumns) +
                        "WHERE substr(id, 1, length(?1)) = ?1 AND ?1 <> '' ORDER BY id LIMIT 6");
  rows.bind(1, id);
  std::vector<Run> found;
  while (rows.step()) {
    found.push_back(read_run(rows));
    if (found.back().start.id == id) return found.back();
  }
  if (found.empty())
    fail(ErrorKind::kNotFound, "no run '{}'; `mlx-toolkit runs list` shows them all",
         files::escaped(id));
  if (found.size() > 1) {
    std::string names;
    for (const Run& run : found) names += (names.empty() ? "" : ", ") + run.start.id;
    fail(ErrorKind::kUserInput, "several runs begin with '{}': {}; give more of the id", id, names);
  }
  return found.front();
}

std::map<std::string, MetricSeries> RunStore::metrics(const std::string& id) {
  store::Statement rows = database_.prepare(
      "SELECT name, step, value FROM metrics WHERE run = ? AND value IS NOT NULL "
      "ORDER BY name, step");
  rows.bind(1, id);
  std::map<std::string, MetricSeries> series;
  while (rows.step()) series[rows.text(0)].emplace_back(rows.integer(1), rows.real(2));
  return series;
}

void RunStore::remove(const std::string& id) {
  database_.prepare("DELETE FROM runs WHERE id = ?").bind(1, id).run();
}

}  // namespace toolkit::track
