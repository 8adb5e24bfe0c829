#include "projects/track/run_folder.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <set>
#include <system_error>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/platform/process.h"
#include "core/report/file_run_log.h"
#include "projects/track/schema.h"

namespace toolkit::track {

namespace fs = std::filesystem;

namespace {

constexpr size_t kPointsAtOnce = 10'000;

fs::path links() {
  return home_folder() / "runs";
}

std::string text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

/// run.json, or null if there is none that can be read.
Json read_run_json(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_regular_file(folder / "run.json", error)) return nullptr;
  try {
    return parse_json(read_file(folder / "run.json", 64 << 20), "run.json");
  } catch (const Error& fault) {
    log_warning("{}: {}", folder.string(), fault.what());
    return nullptr;
  }
}

/// Half a last line, or one of another program, is passed over.
void record_metrics(RunStore& store, const std::string& id, const fs::path& file) {
  std::ifstream stream(file);
  std::vector<MetricPoint> points;
  for (std::string line; std::getline(stream, line);) {
    const Json entry = Json::parse(line, nullptr, false);
    if (!entry.is_object() || text_of(entry, "name").empty() || !entry.contains("step") ||
        !entry["step"].is_number_integer())
      continue;
    points.push_back({.name = text_of(entry, "name"), .step = entry["step"].get<int64_t>()});
    if (entry.contains("value") && entry["value"].is_number())
      points.back().value = entry["value"].get<double>();
    if (points.size() < kPointsAtOnce) continue;
    store.add_metrics(id, points);
    points.clear();
  }
  store.add_metrics(id, points);
}

void record_run_json(RunStore& store, const report::RunStart& start, const Json& json) {
  std::map<std::string, std::string> tags;
  if (store.knows(start.id)) tags = store.find(start.id).tags;
  store.remove(start.id);
  store.begin(start);
  for (const auto& [name, value] : tags) store.set_tag(start.id, name, value);
  if (json.contains("parameters") && json["parameters"].is_object())
    store.set_parameters(start.id, json["parameters"]);
  if (json.contains("artifacts") && json["artifacts"].is_array()) {
    for (const Json& artifact : json["artifacts"]) {
      if (artifact.is_object() && !text_of(artifact, "path").empty())
        store.add_artifact(start.id, {text_of(artifact, "path"), text_of(artifact, "description")});
    }
  }
  const std::string status = text_of(json, "status");
  if (status == "running") return;
  std::optional<double> seconds;
  if (json.contains("seconds") && json["seconds"].is_number()) seconds = json["seconds"];
  store.finish(start.id, status, text_of(json, "ended"), seconds,
               json.contains("summary") ? json["summary"] : Json::object());
}

/// Folders with a run.json at most four levels below `root`; links are not followed further down.
void collect(const fs::path& root, std::vector<fs::path>& found, int depth = 4) {
  std::error_code error;
  if (fs::is_regular_file(root / "run.json", error)) found.push_back(root);
  if (depth == 0) return;
  for (const auto& entry : fs::directory_iterator(root, error)) {
    if (entry.is_directory(error) && !entry.is_symlink(error))
      collect(entry.path(), found, depth - 1);
  }
}

/// The store on a database that can be read from end to end.
RunStore sound_store(RebuildReport& report) {
  try {
    store::Database database = open_tracking_database();
    if (database.damage().empty()) return RunStore(std::move(database));
  } catch (const store::DamagedDatabase&) {
  }
  const fs::path path = home_folder() / "toolkit.db";
  report.set_aside = path.string() + ".damaged-" + report::utc_now();
  fs::rename(path, report.set_aside);
  return RunStore(open_tracking_database());
}

}  // namespace

void remember_folder(const report::RunStart& start) {
  const fs::path link = links() / start.id;
  if (link == start.folder) return;
  std::error_code error;
  fs::create_directories(links(), error);
  if (fs::is_symlink(link, error)) fs::remove(link, error);
  fs::create_directory_symlink(start.folder, link, error);
  if (error) log_warning("{}: {}", link.string(), error.message());
}

void forget_folder(const report::RunStart& start) {
  const fs::path link = links() / start.id;
  std::error_code error;
  if (fs::is_symlink(link, error))
    fs::remove(link, error);
  else if (fs::is_directory(link, error))
    fs::rename(link, links() / (start.id + ".deleted"), error);
  if (error) log_warning("{}: {}", link.string(), error.message());
}

std::string living_status(const Run& run) {
  if (run.status != "running" || run.start.host != platform::host_name()) return run.status;
  const bool lives = !run.start.process_start.empty() &&
                     platform::process_start(run.start.pid) == run.start.process_start;
  return lives ? "running" : "killed";
}

bool record_folder(RunStore& store, const fs::path& folder, std::string& why) {
  std::error_code error;
  const fs::path real = fs::canonical(folder, error);
  const Json json = error ? Json() : read_run_json(real);
  report::RunStart start{.id = json.is_object() ? text_of(json, "id") : ""};
  const bool proper = !start.id.empty() && start.id.size() <= 32 &&
                      std::all_of(start.id.begin(), start.id.end(),
                                  [](unsigned char c) { return std::isalnum(c) != 0; });
  if (!proper) {
    why = error ? error.message() : "no run.json with an id";
    return false;
  }
  start.kind = text_of(json, "kind");
  start.folder = real;
  start.parent = text_of(json, "parent");
  start.started = text_of(json, "started");
  start.host = text_of(json, "host");
  start.process_start = text_of(json, "process_start");
  if (json.contains("pid") && json["pid"].is_number_integer()) start.pid = json["pid"];
  record_run_json(store, start, json);
  record_metrics(store, start.id, real / "metrics.jsonl");
  return true;
}

int record_missing_runs(RunStore& store) {
  int count = 0;
  std::string why;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(links(), error)) {
    const std::string id = entry.path().filename().string();
    if (store.knows(id)) continue;
    // The folder may hold a newer run by now; that one has its own name here.
    const Json json = read_run_json(entry.path());
    if (json.is_object() && text_of(json, "id") == id) count += record_folder(store, entry, why);
  }
  for (const Run& run : store.list({.status = "running"})) {
    if (living_status(run) == "running") continue;
    const Json json = read_run_json(run.start.folder);
    if (json.is_object() && text_of(json, "id") == run.start.id)
      record_folder(store, run.start.folder, why);
    if (living_status(store.find(run.start.id)) == "killed")
      store.set_status(run.start.id, "killed");
    ++count;
  }
  return count;
}

RebuildReport rebuild_database(const std::vector<fs::path>& folders) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(links(), error)) {
    if (entry.path().extension() != ".deleted") found.push_back(entry.path());
  }
  for (const fs::path& folder : folders) {
    if (!fs::is_directory(folder))
      fail(ErrorKind::kNotFound, "{} is no folder; name one with runs (run.json) in it",
           folder.string());
    collect(folder, found);
  }
  RebuildReport report;
  RunStore store = sound_store(report);
  std::set<fs::path> done;
  for (const fs::path& folder : found) {
    const fs::path real = fs::weakly_canonical(folder, error);
    if (!done.insert(real).second) continue;
    std::string why;
    if (record_folder(store, folder, why))
      ++report.recorded;
    else
      report.left_out.push_back(folder.string() + ": " + why);
  }
  record_missing_runs(store);
  return report;
}

}  // namespace toolkit::track
