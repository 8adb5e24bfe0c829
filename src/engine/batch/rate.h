#pragma once

#include <algorithm>
#include <chrono>
#include <deque>
#include <utility>

namespace toolkit::engine {

/// How often something happened per second, of its last second or so.
class Rate {
 public:
  using Time = std::chrono::steady_clock::time_point;

  void add(int count, Time now) {
    if (counts_.empty()) began_ = now;
    counts_.emplace_back(now, count);
    while (counts_.front().first + kWindow < now) {
      began_ = counts_.front().first;
      counts_.pop_front();
    }
  }

  /// What came at the beginning of the window took place before it.
  double per_second(Time now) const {
    int count = 0;
    for (const auto& [when, how_many] : counts_)
      if (when > began_ && when + kWindow >= now) count += how_many;
    const double seconds =
        std::chrono::duration<double>(now - std::max(began_, now - kWindow)).count();
    return seconds > 0.0 ? count / seconds : 0.0;
  }

 private:
  static constexpr std::chrono::steady_clock::duration kWindow = std::chrono::seconds(1);
  std::deque<std::pair<Time, int>> counts_;
  Time began_;
};

}  // namespace toolkit::engine
