#include "core/report/bar_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/report/svg_text.h"
#include "core/report/text_width.h"

namespace toolkit::report {

namespace {

constexpr double kWidth = 760, kTop = 56, kLine = 34, kBar = 20, kRight = 110;

constexpr const char* kStyle = R"(<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328; }
text.title { font-size: 17px; font-weight: 600; }
.page { fill: #ffffff; } .bar { fill: #0a6ebd; } .limit { stroke: #b8336a; stroke-dasharray: 5 4; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .page { fill: #0d1117; } .bar { fill: #58a6ff; } .limit { stroke: #f778a8; }
}
</style>
)";

}  // namespace

std::string to_svg(const std::string& title, const std::vector<Bar>& bars,
                   const std::optional<BarLimit>& limit) {
  const double top = limit ? kTop + 22 : kTop;
  const double height = top + kLine * static_cast<double>(bars.size()) + 16;
  double left = 60, highest = limit ? limit->value : 0;
  for (const Bar& bar : bars) {
    left = std::max(left, 36 + 7.4 * display_width(bar.name));
    if (std::isfinite(bar.value)) highest = std::max(highest, bar.value);
  }
  std::string svg = svg_page(title, kWidth, height, kStyle);
  double y = top;
  for (const Bar& bar : bars) {
    const double share =
        highest > 0 && std::isfinite(bar.value) ? std::max(0.0, bar.value / highest) : 0;
    const double length = std::max(1.0, share * (kWidth - left - kRight));
    svg += fmt::format(
        "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>"
        "<rect class=\"bar\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{}\" rx=\"3\"/>"
        "<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
        left - 10, y + 15, svg_text(bar.name), left, y, length, kBar, left + length + 8, y + 15,
        svg_text(bar.text));
    y += kLine;
  }
  if (limit && highest > 0) {
    const double x = left + limit->value / highest * (kWidth - left - kRight);
    svg += fmt::format(
        "<line class=\"limit\" x1=\"{0:.1f}\" y1=\"{1:.1f}\" x2=\"{0:.1f}\" y2=\"{2:.1f}\"/>"
        "<text x=\"{0:.1f}\" y=\"{3:.1f}\" text-anchor=\"middle\">{4}</text>\n",
        x, top - 6, height - 16, top - 12, svg_text(limit->text));
  }
  return svg + "</svg>\n";
}

}  // namespace toolkit::report
