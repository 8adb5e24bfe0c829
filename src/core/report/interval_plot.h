#pragma once

#include <string>
#include <vector>

namespace toolkit::report {

/// A figure with the interval it lies in.
struct Interval {
  std::string name;
  double value = 0, low = 0, high = 0;
  std::string text;        // at the right
  bool highlight = false;  // the one that was chosen
};

/// Dots with their intervals, one a line on a common axis that need not begin at 0, as a
/// self-contained SVG, readable on light and dark pages.
std::string to_svg(const std::string& title, const std::string& x_label,
                   const std::vector<Interval>& intervals);

}  // namespace toolkit::report
