#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "engine/batch/request.h"
#include "projects/serve/model_pool.h"

namespace toolkit::serve {

/// Counts in growing buckets, as Prometheus has them.
class Histogram {
 public:
  explicit Histogram(std::span<const double> limits)
      : limits_(limits), counts_(limits.size() + 1) {}
  void add(double value);
  /// The lines of one metric, HELP and TYPE first.
  std::string text(const std::string& name, const std::string& help) const;

 private:
  std::span<const double> limits_;
  std::vector<uint64_t> counts_;
  double sum_ = 0;
};

/// What /metrics tells. Names are vLLM's behind `toolkit_` (docs/serve.md has the list); labels are
/// names of served models, states and reasons, never text. Safe from several threads.
class Metrics {
 public:
  Metrics();
  void first_token(double seconds);
  void answered(const std::string& model, const engine::BatchEvent& last, double seconds);
  void refused();                            // 429
  void requested(const std::string& route);  // "POST /v1/completions"

  /// Prometheus' text format 0.0.4.
  std::string text(const std::vector<LoadedInfo>& loaded,
                   const std::map<std::string, int>& jobs_by_state, size_t connections,
                   const std::string& version) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, uint64_t> finished_;  // model, reason
  std::map<std::string, uint64_t> requests_;                          // by route
  uint64_t refused_ = 0;
  Histogram first_token_, token_time_, request_time_, queue_time_, prompt_time_, generation_time_;
  Histogram prompt_tokens_, generated_tokens_;
};

}  // namespace toolkit::serve
