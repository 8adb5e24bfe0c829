#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/store/database.h"

namespace toolkit::monitor {

/// A stretch of use of one model: from the first sight of it loaded or running to its unloading, or
/// to ten minutes without a request.
struct Session {
  int64_t id = 0;
  std::string model_name;
  int64_t started_at_s = 0, ended_at_s = 0;
  std::optional<double> avg_tokens_per_sec;  // while something was generated
  int64_t total_tokens = 0;
  std::optional<double> peak_memory_gb;
};

/// What was measured at a time, or its mean over `resolution_s` from `time_s` on.
struct Sample {
  int64_t time_s = 0;
  int resolution_s = 1;
  std::string model;  // "" while none is loaded
  std::optional<double> tokens_per_second, gpu_percent, temperature_c, power_w;
  std::optional<int64_t> model_bytes, memory_used_bytes;
};

/// One row of `benchmarks`, with what its columns do not hold.
struct BenchmarkRecord {
  int64_t id = 0;
  std::string model_name;
  int64_t ran_at_s = 0;
  std::optional<double> avg_tokens_per_sec, p50_latency_ms, p95_latency_ms, peak_memory_gb;
  int64_t prompt_count = 0;
  std::string server;   // URL
  std::string details;  // JSON: every prompt with its times
};

/// Use of one model over all sessions that are kept.
struct ModelStatistics {
  std::string model_name;
  int64_t sessions = 0, seconds = 0, total_tokens = 0;
  std::optional<double> avg_tokens_per_sec, best_tokens_per_sec, peak_memory_gb;
  int64_t last_used_s = 0;
};

/// `~/.mlx-infrastructure/mlxdash.db`: tables sessions and benchmarks as other programs read them,
/// and samples whose resolution falls with their age: 1 s for an hour, 10 s for a day, 1 min for a
/// week, 10 min for as long as history is kept. One process writes, any number reads.
class History {
 public:
  /// Creates or migrates it. Throws Error(kIo | kUnsupported).
  static History open(const std::filesystem::path& file);
  /// Only reads; Error(kNotFound) when there is none.
  static History open_to_read(const std::filesystem::path& file);
  static std::filesystem::path default_file();

  /// One transaction: all that is new since the second before. A session with id 0 gets one.
  void write(const std::vector<Sample>& samples, std::vector<Session>& sessions);
  int64_t add_benchmark(const BenchmarkRecord& record);

  /// Means of older samples take their place, and what is older than `keep_days` goes.
  void compact(int64_t now_s, int keep_days);

  std::vector<Session> sessions(int64_t from_s, int64_t to_s) const;
  std::vector<BenchmarkRecord> benchmarks() const;  // newest first
  std::vector<ModelStatistics> statistics() const;
  /// At most about `points` samples of a span, coarser ones where they are more: what a chart
  /// shows. `model` empty: all models.
  std::vector<Sample> samples(int64_t from_s, int64_t to_s, const std::string& model,
                              int points = 600) const;
  int64_t sample_count() const;

 private:
  explicit History(store::Database database);
  void merge_into(int64_t before_s, int from_resolution_s, int to_resolution_s);
  mutable store::Database database_;
};

}  // namespace toolkit::monitor
