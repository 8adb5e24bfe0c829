#include "core/report/run_log.h"

#include <fmt/chrono.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/log.h"

namespace toolkit::report {

namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
}

bool ends_inside_a_line(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  if (!stream || stream.tellg() <= 0) return false;
  stream.seekg(-1, std::ios::end);
  return stream.get() != '\n';
}

class FileRunLog : public RunLog {
 public:
  FileRunLog(const fs::path& folder, const std::string& kind) : folder_(folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error)
      fail(ErrorKind::kIo, "{}: cannot make this folder: {}", folder.string(), error.message());
    const fs::path path = folder / "metrics.jsonl";
    // A run that was killed may have left half a line; a resumed run goes on below it.
    const bool broken = ends_inside_a_line(path);
    metrics_ = std::fopen(path.c_str(), "ae");
    if (!metrics_)
      fail(ErrorKind::kIo, "{}: cannot write: {}", path.string(), std::strerror(errno));
    if (broken) std::fputc('\n', metrics_);
    run_["kind"] = kind;
    run_["status"] = "running";
    run_["started"] = utc_now();
    save();
  }

  FileRunLog(const FileRunLog&) = delete;
  FileRunLog& operator=(const FileRunLog&) = delete;

  ~FileRunLog() override {
    if (!finished_) {
      try {
        finish("failed", {});
      } catch (const std::exception& error) {
        log_error("run.json of {} could not be closed: {}", folder_.string(), error.what());
      }
    }
    std::fclose(metrics_);
  }

  void parameters(const nlohmann::json& values) override {
    for (const auto& [name, value] : values.items()) run_["parameters"][name] = value;
    save();
  }

  void metric(const std::string& name, int64_t step, double value) override {
    nlohmann::ordered_json line{{"step", step}, {"name", name}};
    // JSON has no NaN; null says that there was a value and that it was none.
    line["value"] = std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
    line["seconds"] = std::round(seconds() * 1000) / 1000;
    const std::string text = line.dump() + "\n";
    if (std::fwrite(text.data(), 1, text.size(), metrics_) != text.size() ||
        std::fflush(metrics_) != 0)
      fail(ErrorKind::kIo, "{}: cannot write: {}", (folder_ / "metrics.jsonl").string(),
           std::strerror(errno));
  }

  void artifact(const fs::path& path, const std::string& description) override {
    run_["artifacts"].push_back({{"path", path.string()}, {"description", description}});
    save();
  }

  void finish(const std::string& status, const nlohmann::json& summary) override {
    finished_ = true;
    run_["status"] = status;
    run_["ended"] = utc_now();
    run_["seconds"] = std::round(seconds() * 1000) / 1000;
    if (!summary.is_null()) run_["summary"] = summary;
    save();
  }

 private:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - started_).count(); }

  void save() {
    write_file_atomically(
        folder_ / "run.json",
        run_.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  }

  fs::path folder_;
  std::FILE* metrics_ = nullptr;
  nlohmann::ordered_json run_;
  Clock::time_point started_ = Clock::now();
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<RunLog> make_file_run_log(const fs::path& folder, const std::string& kind) {
  return std::make_unique<FileRunLog>(folder, kind);
}

}  // namespace toolkit::report
