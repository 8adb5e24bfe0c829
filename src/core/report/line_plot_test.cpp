#include "core/report/line_plot.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace toolkit::report;

namespace {

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++found;
  return found;
}

LinePlot sample() {
  LinePlot plot{.title = "Loss <train & valid>", .x_label = "step", .y_label = "loss"};
  Series train{.name = "training"}, valid{.name = "validation", .markers = true};
  for (int i = 0; i <= 300; ++i) {
    train.x.push_back(i);
    train.y.push_back(1.9 + 1.4 * std::exp(-i / 60.0) + 0.12 * std::sin(i * 1.7));
  }
  for (int i = 0; i <= 300; i += 100) {
    valid.x.push_back(i);
    valid.y.push_back(2.0 + 1.3 * std::exp(-i / 70.0));
  }
  plot.series = {train, valid};
  return plot;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("line_plot: lines, markers, ticks, legend, escaped text, dark mode") {
    const std::string svg = to_svg(sample());
    CHECK(svg.starts_with("<svg xmlns="));
    CHECK(svg.ends_with("</svg>\n"));
    CHECK(svg.find("Loss &lt;train &amp; valid&gt;") != std::string::npos);
    CHECK(svg.find("prefers-color-scheme: dark") != std::string::npos);
    CHECK(count(svg, "<path class=\"line s0\"") == 2);    // the legend's and the line
    CHECK(count(svg, "<circle class=\"p1\"") == 5);       // the legend's and four points
    CHECK(svg.find(">300</text>") != std::string::npos);  // x ticks
    CHECK(svg.find(">2.0</text>") != std::string::npos);  // y ticks
    CHECK(svg.find("nan") == std::string::npos);
  }

  TEST_CASE("line_plot: NaN breaks the line, infinite values do not stretch the axes") {
    const double nan = std::numeric_limits<double>::quiet_NaN(),
                 inf = std::numeric_limits<double>::infinity();
    const std::string svg = to_svg(
        {.title = "t", .series = {{.name = "", .x = {0, 1, 2, 3, 4}, .y = {1, 2, nan, 2, inf}}}});
    const size_t path = svg.find("<path class=\"line s0\"");
    const std::string drawn = svg.substr(path, svg.find("/>", path) - path);
    CHECK(count(drawn, "M") == 2);
    CHECK(count(drawn, "L") == 1);
    CHECK(svg.find("inf") == std::string::npos);
  }

  TEST_CASE("line_plot: no data, one point and equal values still give a picture") {
    CHECK(to_svg({}).find("nan") == std::string::npos);
    CHECK(to_svg({.series = {{.name = "a", .x = {5}, .y = {7}}}}).find("nan") == std::string::npos);
    CHECK(to_svg({.series = {{.name = "a", .x = {0, 1}, .y = {0, 0}}}}).find("nan") ==
          std::string::npos);
  }

  TEST_CASE("line_plot: small and large values get readable ticks") {
    const std::string svg = to_svg({.series = {{.name = "a", .x = {0, 4e7}, .y = {1e-5, 3e-5}}}});
    CHECK(svg.find(">1e+07</text>") != std::string::npos);
    CHECK(svg.find(">2e-05</text>") != std::string::npos);
  }
}
