#pragma once

#include <string>
#include <vector>

namespace toolkit::report {

struct Bar {
  std::string name;
  double value = 0;  // from 0
  std::string text;  // behind the bar
};

/// Horizontal bars, one a line, as a self-contained SVG, readable on light and dark pages.
std::string to_svg(const std::string& title, const std::vector<Bar>& bars);

}  // namespace toolkit::report
