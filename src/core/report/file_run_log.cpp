#include "core/report/file_run_log.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <utility>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/log.h"

namespace toolkit::report {

namespace fs = std::filesystem;

namespace {

bool ends_inside_a_line(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  if (!stream || stream.tellg() <= 0) return false;
  stream.seekg(-1, std::ios::end);
  return stream.get() != '\n';
}

}  // namespace

FileRunLog::FileRunLog(const RunStart& start, bool resume) : start_(start) {
  std::error_code error;
  fs::create_directories(start_.folder, error);
  if (error)
    fail(ErrorKind::kIo, "{}: cannot make this folder: {}", start_.folder.string(),
         error.message());
  if (resume) continue_old_run();
  open_metrics(resume);
  run_["id"] = start_.id;
  run_["kind"] = start_.kind;
  if (!start_.parent.empty()) run_["parent"] = start_.parent;
  run_["status"] = "running";
  run_["started"] = start_.started;
  run_["host"] = start_.host;
  run_["pid"] = start_.pid;
  run_["process_start"] = start_.process_start;
  write_file_atomically(start_.folder / "run.json", text());
}

FileRunLog::~FileRunLog() {
  if (!finished_) finish("failed", {});
  std::fclose(metrics_);
}

void FileRunLog::continue_old_run() {
  const fs::path path = start_.folder / "run.json";
  if (!fs::exists(path)) return;
  const auto old = nlohmann::ordered_json::parse(read_file(path), nullptr, false);
  if (!old.is_object() || old.value("kind", "") != start_.kind) return;
  // Runs of before ids were given keep their start and get one now.
  start_.id = old.value("id", start_.id);
  start_.parent = old.value("parent", start_.parent);
  start_.started = old.value("started", start_.started);
  if (old.contains("parameters")) run_["parameters"] = old["parameters"];
  if (old.contains("seconds") && old["seconds"].is_number()) seconds_before_ = old["seconds"];
}

void FileRunLog::open_metrics(bool append) {
  const fs::path path = start_.folder / "metrics.jsonl";
  // A run that was killed may have left half a line; a resumed run goes on below it.
  const bool broken = append && ends_inside_a_line(path);
  metrics_ = std::fopen(path.c_str(), append ? "ae" : "we");
  if (!metrics_) fail(ErrorKind::kIo, "{}: cannot write: {}", path.string(), std::strerror(errno));
  if (broken) std::fputc('\n', metrics_);
}

void FileRunLog::parameters(const nlohmann::json& values) {
  for (const auto& [name, value] : values.items()) run_["parameters"][name] = value;
  save();
}

void FileRunLog::metric(const std::string& name, int64_t step, double value) {
  nlohmann::ordered_json line{{"step", step}, {"name", name}};
  // JSON has no NaN; null says that there was a value and that it was none.
  line["value"] = std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
  line["seconds"] = std::round(seconds() * 1000) / 1000;
  const std::string text = line.dump() + "\n";
  if (std::fwrite(text.data(), 1, text.size(), metrics_) == text.size() &&
      std::fflush(metrics_) == 0)
    return;
  std::clearerr(metrics_);
  if (!std::exchange(warned_, true))
    log_warning("{}: cannot write: {}; the run goes on without these lines",
                (start_.folder / "metrics.jsonl").string(), std::strerror(errno));
}

void FileRunLog::artifact(const fs::path& path, const std::string& description) {
  run_["artifacts"].push_back({{"path", path.string()}, {"description", description}});
  save();
}

void FileRunLog::finish(const std::string& status, const nlohmann::json& summary) {
  finished_ = true;
  run_["status"] = status;
  run_["ended"] = utc_now();
  run_["seconds"] = std::round(seconds() * 1000) / 1000;
  if (!summary.is_null()) run_["summary"] = summary;
  save();
}

double FileRunLog::seconds() const {
  return seconds_before_ + std::chrono::duration<double>(Clock::now() - begin_).count();
}

std::string FileRunLog::text() const {
  return run_.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

void FileRunLog::save() {
  try {
    write_file_atomically(start_.folder / "run.json", text());
  } catch (const std::exception& error) {
    log_warning("run.json is not up to date: {}", error.what());
  }
}

}  // namespace toolkit::report
