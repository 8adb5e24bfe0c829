#include "core/monitor/sources/token_meter.h"

namespace toolkit::monitor {

void TokenMeter::add(double time_s, int64_t tokens) {
  if (!points_.empty() && (tokens < points_.back().tokens || time_s < points_.back().time_s))
    points_.clear();
  points_.push_back({time_s, tokens});
  // One point older than the window stays: the growth across its edge counts.
  while (points_.size() > 2 && points_[1].time_s <= time_s - window_s_) points_.pop_front();
}

std::optional<double> TokenMeter::per_second() const {
  if (points_.size() < 2) return std::nullopt;
  const double seconds = points_.back().time_s - points_.front().time_s;
  if (seconds < 0.2) return std::nullopt;
  return static_cast<double>(points_.back().tokens - points_.front().tokens) / seconds;
}

}  // namespace toolkit::monitor
