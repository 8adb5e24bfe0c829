#pragma once

#include <optional>
#include <string>
#include <vector>

namespace toolkit::report {

struct Bar {
  std::string name;
  double value = 0;  // from 0
  std::string text;  // behind the bar
};

/// A line across all bars that says how long they may be.
struct BarLimit {
  double value = 0;
  std::string text;  // above the line
};

/// Horizontal bars, one a line, as a self-contained SVG, readable on light and dark pages.
std::string to_svg(const std::string& title, const std::vector<Bar>& bars,
                   const std::optional<BarLimit>& limit = {});

}  // namespace toolkit::report
