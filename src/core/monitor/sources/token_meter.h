#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace toolkit::monitor {

/// Speed of a counter that is looked at now and then: its growth over the last `window_s` seconds.
class TokenMeter {
 public:
  explicit TokenMeter(double window_s = 2.5) : window_s_(window_s) {}
  /// A counter that is smaller than before, or a clock that went back, begins anew.
  void add(double time_s, int64_t tokens);
  /// Empty until two looks are at least 0.2 seconds apart.
  std::optional<double> per_second() const;
  int64_t last() const { return points_.empty() ? 0 : points_.back().tokens; }

 private:
  struct Point {
    double time_s;
    int64_t tokens;
  };
  double window_s_;
  std::deque<Point> points_;
};

}  // namespace toolkit::monitor
