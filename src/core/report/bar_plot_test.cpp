#include "core/report/bar_plot.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace toolkit::report;

TEST_SUITE("unit") {
  TEST_CASE("bar_plot: lengths follow the values and texts are escaped") {
    const std::string svg =
        to_svg("Which <setting> matters", {{"a & b", 0.8, "80 %"}, {"c", 0.4, "40 %"}});
    CHECK(svg.starts_with("<svg xmlns="));
    CHECK(svg.find("Which &lt;setting&gt; matters") != std::string::npos);
    CHECK(svg.find("a &amp; b") != std::string::npos);
    CHECK(svg.find("prefers-color-scheme: dark") != std::string::npos);
    const auto width = [&](const char* name) {
      const size_t at = svg.find(" width=\"", svg.find(name));
      return std::stod(svg.substr(at + 8));
    };
    CHECK(width(">a &amp; b<") == doctest::Approx(2 * width(">c<")).epsilon(0.01));
  }

  TEST_CASE("bar_plot: nothing and zeros and what is no number still give a picture") {
    CHECK(to_svg("t", {}).ends_with("</svg>\n"));
    const std::string svg = to_svg("t", {{"a", 0, ""}, {"b", std::nan(""), ""}});
    CHECK(svg.find("nan") == std::string::npos);
  }
}
