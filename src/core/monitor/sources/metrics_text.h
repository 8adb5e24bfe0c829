#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace toolkit::monitor {

/// One line of the text that Prometheus reads (exposition format 0.0.4).
struct Metric {
  std::string name;
  std::map<std::string, std::string> labels;
  double value = 0;
};

/// Lines that are none are left out; at most 10 000 are read.
std::vector<Metric> parse_metrics(std::string_view text);

/// The sum over all label values of one name; `otherwise` if the name is not there.
double metric_sum(const std::vector<Metric>& metrics, std::string_view name, double otherwise = 0);
bool has_metric(const std::vector<Metric>& metrics, std::string_view name);

}  // namespace toolkit::monitor
