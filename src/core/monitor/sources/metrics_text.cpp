#include "core/monitor/sources/metrics_text.h"

#include <cmath>
#include <cstdlib>
#include <optional>

namespace toolkit::monitor {

namespace {

constexpr size_t kMostLines = 10'000;

/// A label's value from behind its opening quote; moves `at` behind the closing one.
std::optional<std::string> quoted(std::string_view line, size_t& at) {
  std::string value;
  for (; at < line.size() && line[at] != '"'; ++at) {
    if (line[at] == '\\' && at + 1 < line.size()) {
      ++at;
      value += line[at] == 'n' ? '\n' : line[at];
    } else {
      value += line[at];
    }
  }
  if (at >= line.size()) return std::nullopt;
  ++at;
  return value;
}

/// From behind '{' to behind '}'.
bool read_labels(std::string_view line, size_t& at, std::map<std::string, std::string>& labels) {
  while (at < line.size() && line[at] != '}') {
    const size_t equals = line.find("=\"", at);
    if (equals == line.npos) return false;
    std::string name(line.substr(at, equals - at));
    at = equals + 2;
    const auto value = quoted(line, at);
    if (!value) return false;
    labels[name] = *value;
    while (at < line.size() && (line[at] == ',' || line[at] == ' ')) ++at;
  }
  if (at >= line.size()) return false;
  ++at;
  return true;
}

std::optional<Metric> metric_of(std::string_view line) {
  const size_t end = line.find_first_of("{ ");
  if (end == line.npos || end == 0 || line[0] == '#') return std::nullopt;
  Metric metric{.name = std::string(line.substr(0, end))};
  size_t at = end;
  if (line[at] == '{' && !read_labels(line, ++at, metric.labels)) return std::nullopt;
  const std::string rest(line.substr(at));
  char* stop = nullptr;
  metric.value = std::strtod(rest.c_str(), &stop);
  if (stop == rest.c_str() || !std::isfinite(metric.value)) return std::nullopt;
  return metric;
}

}  // namespace

std::vector<Metric> parse_metrics(std::string_view text) {
  std::vector<Metric> metrics;
  size_t begin = 0;
  for (size_t count = 0; begin < text.size() && count < kMostLines; ++count) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (auto metric = metric_of(line)) metrics.push_back(std::move(*metric));
    begin = end + 1;
  }
  return metrics;
}

double metric_sum(const std::vector<Metric>& metrics, std::string_view name, double otherwise) {
  bool found = false;
  double sum = 0;
  for (const Metric& metric : metrics)
    if (metric.name == name) sum += metric.value, found = true;
  return found ? sum : otherwise;
}

bool has_metric(const std::vector<Metric>& metrics, std::string_view name) {
  for (const Metric& metric : metrics)
    if (metric.name == name) return true;
  return false;
}

}  // namespace toolkit::monitor
