#pragma once

#include <string>
#include <vector>

namespace toolkit::report {

struct Series {
  std::string name;
  std::vector<double> x, y;
  bool markers = false;  // points instead of a line
};

struct LinePlot {
  std::string title, x_label, y_label;
  std::vector<Series> series;
};

/// A self-contained SVG, readable on light and dark pages, with axes, ticks and a legend.
std::string to_svg(const LinePlot& plot);

}  // namespace toolkit::report
