#include <algorithm>
#include <utility>

#include "core/files/safe_path.h"
#include "core/monitor/sources/metrics_text.h"
#include "core/monitor/sources/source.h"

namespace toolkit::monitor {

namespace {

std::string label(const Metric& metric, const char* name) {
  const auto found = metric.labels.find(name);
  return found == metric.labels.end() ? "" : files::escaped(found->second.substr(0, 300));
}

class ToolkitSource : public Source {
 public:
  explicit ToolkitSource(const std::string& url) : probe_(url) {}

  ServerState look(double time_s) override {
    ServerState state{.url = probe_.url(), .kind = ServerKind::kToolkit};
    const auto text = probe_.text("/metrics", state.trouble);
    const auto metrics = text ? parse_metrics(*text) : std::vector<Metric>();
    if (text && !has_metric(metrics, "toolkit_build_info"))
      state.trouble = "/metrics does not answer as mlx-toolkit serve does";
    if (!has_metric(metrics, "toolkit_build_info")) {
      state.failure = text ? Failure::kForeign : probe_.failure();
      state.failures = ++failures_;
      return state;
    }
    failures_ = 0;
    state.reachable = true;
    for (const Metric& metric : metrics) take(metric, state);
    add_prompts(metrics, state);
    count(time_s, metric_sum(metrics, "toolkit_generation_tokens_total"), state);
    return state;
  }

 private:
  void take(const Metric& metric, ServerState& state) const {
    if (metric.name == "toolkit_build_info") state.version = label(metric, "version");
    if (metric.name == "toolkit_model_memory_bytes")
      state.models.push_back(
          {.name = label(metric, "model_name"), .size_bytes = static_cast<int64_t>(metric.value)});
    if (metric.name == "toolkit_request_tokens_per_second")
      state.running.push_back({.id = "request " + label(metric, "request"),
                               .model = label(metric, "model_name"),
                               .server = probe_.url(),
                               .way = Way::kMetrics,
                               .quality = Quality::kLive,
                               .tokens_per_second = metric.value});
  }

  /// Those that run and do not generate yet.
  void add_prompts(const std::vector<Metric>& metrics, ServerState& state) const {
    const auto running = static_cast<size_t>(
        std::clamp(metric_sum(metrics, "toolkit_num_requests_running"), 0.0, 10'000.0));
    const std::string model = state.models.empty() ? "" : state.models[0].name;
    for (size_t at = state.running.size(); at < running; ++at)
      state.running.push_back({.id = "prompt " + std::to_string(at),
                               .model = model,
                               .server = probe_.url(),
                               .way = Way::kMetrics,
                               .reading_prompt = true});
  }

  /// Tokens of a stretch of work are told when it is over.
  void count(double time_s, double tokens, ServerState& state) {
    const double since = tokens - std::exchange(tokens_, tokens);
    const double seconds = time_s - std::exchange(time_s_, time_s);
    const bool is_first = std::exchange(is_first_, false);
    if (is_first || since < 0) return;
    stretch_tokens_ += since;
    if (since > 0) stretch_s_ += seconds;
    if (!state.running.empty() || stretch_tokens_ <= 0) return;
    FinishedRequest finished{.model = state.models.empty() ? "" : state.models[0].name,
                             .server = probe_.url(),
                             .way = Way::kMetrics,
                             .quality = Quality::kEstimated,
                             .tokens = static_cast<int64_t>(stretch_tokens_)};
    if (stretch_s_ > 0) finished.tokens_per_second = stretch_tokens_ / stretch_s_;
    state.finished.push_back(std::move(finished));
    stretch_tokens_ = stretch_s_ = 0;
  }

  Probe probe_;
  int failures_ = 0;
  bool is_first_ = true;
  double tokens_ = 0, time_s_ = 0, stretch_tokens_ = 0, stretch_s_ = 0;
};

}  // namespace

std::unique_ptr<Source> toolkit_source(const std::string& url) {
  return std::make_unique<ToolkitSource>(url);
}

}  // namespace toolkit::monitor
