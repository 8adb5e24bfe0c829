#include "core/report/interval_plot.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/report/bar_plot.h"
#include "core/report/inline_svg.h"

using namespace toolkit::report;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("interval_plot: a wider interval is drawn wider and the chosen one marked") {
    const std::string svg = to_svg("Loss <valid>", "nats",
                                   {{"lora", 2.0, 1.9, 2.1, "2.00", true},
                                    {"full", 2.4, 2.2, 2.6, "2.40", false},
                                    {"failed", std::nan(""), 0, 0, "-", false}});
    CHECK(contains(svg, "Loss &lt;valid&gt;"));
    CHECK(contains(svg, "chosen interval"));
    CHECK(contains(svg, "prefers-color-scheme: dark"));
    CHECK_FALSE(contains(svg, "nan"));
    const auto width = [&](const char* name) {
      const size_t at = svg.find("d=\"M", svg.find(name)) + 4;
      return std::stod(svg.substr(svg.find('H', at) + 1)) - std::stod(svg.substr(at));
    };
    CHECK(width(">full<") == doctest::Approx(2 * width(">lora<")).epsilon(0.02));
    CHECK(to_svg("t", "x", {}).ends_with("</svg>\n"));
    CHECK_FALSE(contains(to_svg("t", "x", {{"a", 1, 1, 1, ""}}), "nan"));
  }

  TEST_CASE("bar_plot: a limit is a line where a bar of its length would end") {
    const std::string svg = to_svg("Memory", {{"a", 5, "5 GB"}}, BarLimit{10, "limit 10 GB"});
    CHECK(contains(svg, "limit 10 GB"));
    const size_t bar = svg.find("<rect class=\"bar\"");
    const double left = std::stod(svg.substr(svg.find("x=\"", bar) + 3));
    const double width = std::stod(svg.substr(svg.find("width=\"", bar) + 7));
    const size_t line = svg.find("<line class=\"limit\"");
    CHECK(std::stod(svg.substr(svg.find("x1=\"", line) + 4)) ==
          doctest::Approx(left + 2 * width).epsilon(0.01));
  }

  TEST_CASE("inline_svg: the rules of one picture do not reach another") {
    const std::string svg = inline_svg(to_svg("t", "x", {{"a", 1, 0, 2, ""}}), "plot-1");
    CHECK(contains(svg, "<svg id=\"plot-1\" xmlns"));
    CHECK(contains(svg, "#plot-1 text.title {"));
    CHECK(contains(svg, "@media (prefers-color-scheme: dark) {\n#plot-1 text {"));
    const std::string style =
        svg.substr(svg.find("<style>"), svg.find("</style>") - svg.find("<style>"));
    CHECK(std::count(style.begin(), style.end(), '{') ==
          std::count(style.begin(), style.end(), '}'));
    CHECK(inline_svg("<svg xmlns=\"x\"><style>a, b { c: d; }</style></svg>", "p") ==
          "<svg id=\"p\" xmlns=\"x\"><style>\n#p a, #p b { c: d; }\n</style></svg>");
  }
}
