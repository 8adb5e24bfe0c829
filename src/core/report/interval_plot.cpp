#include "core/report/interval_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/report/svg_text.h"
#include "core/report/text_width.h"

namespace toolkit::report {

namespace {

constexpr double kWidth = 760, kTop = 56, kLine = 34, kRight = 190, kBottom = 54;

constexpr const char* kStyle = R"(<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328; }
text.title { font-size: 17px; font-weight: 600; } text.tick { fill: #59636e; }
.page { fill: #ffffff; } .grid { stroke: #d9dee3; }
.interval { stroke: #0a6ebd; stroke-width: 2; } .dot { fill: #0a6ebd; }
.chosen.interval { stroke: #1a7f56; } .chosen.dot { fill: #1a7f56; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } text.tick { fill: #9198a1; } .page { fill: #0d1117; } .grid { stroke: #2d333b; }
.interval { stroke: #58a6ff; } .dot { fill: #58a6ff; }
.chosen.interval { stroke: #3fb98a; } .chosen.dot { fill: #3fb98a; }
}
</style>
)";

bool drawable(const Interval& one) {
  return std::isfinite(one.value) && std::isfinite(one.low) && std::isfinite(one.high);
}

/// From value to place, over all intervals, and the ticks of the axis: 1, 2 or 5 times a power of
/// ten.
struct Scale {
  double low = 0, high = 1, step = 0.2, left = 60;

  explicit Scale(const std::vector<Interval>& intervals) {
    double least = HUGE_VAL, most = -HUGE_VAL;
    for (const Interval& one : intervals) {
      left = std::max(left, 36 + 7.4 * display_width(one.name));
      if (!drawable(one)) continue;
      least = std::min({least, one.low, one.value});
      most = std::max({most, one.high, one.value});
    }
    if (least > most) return;
    const double room = most > least ? most - least : std::max(std::abs(most) * 0.1, 1e-9);
    const double raw = room / 5, power = std::pow(10, std::floor(std::log10(raw)));
    const double share = raw / power;
    step = power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
    low = std::floor((least - room * 0.02) / step) * step;
    high = std::ceil((most + room * 0.02) / step) * step;
  }
  double x(double value) const {
    return left + (value - low) / (high - low) * (kWidth - left - kRight);
  }
};

std::string axis(const Scale& scale, double bottom, const std::string& label) {
  std::string svg;
  const int decimals =
      std::clamp(static_cast<int>(-std::floor(std::log10(scale.step) + 1e-9)), 0, 8);
  const int count = static_cast<int>(std::lround((scale.high - scale.low) / scale.step));
  for (int i = 0; i <= count; ++i) {
    const double value = scale.low + i * scale.step;
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2:.1f}\"/>"
        "<text class=\"tick\" x=\"{0:.1f}\" y=\"{3:.1f}\" "
        "text-anchor=\"middle\">{4:.{5}f}</text>\n",
        scale.x(value), kTop - 8, bottom, bottom + 18, value, decimals);
  }
  return svg + fmt::format(
                   "<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\" "
                   "text-anchor=\"middle\">{}</text>\n",
                   (scale.left + kWidth - kRight) / 2, bottom + 40, svg_text(label));
}

}  // namespace

std::string to_svg(const std::string& title, const std::string& x_label,
                   const std::vector<Interval>& intervals) {
  const Scale scale(intervals);
  const double bottom = kTop + kLine * static_cast<double>(intervals.size());
  std::string svg = svg_page(title, kWidth, bottom + kBottom, kStyle);
  svg += axis(scale, bottom, x_label);
  double y = kTop + kLine / 2;
  for (const Interval& one : intervals) {
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>",
                       scale.left - 12, y + 4.5, svg_text(one.name));
    if (drawable(one)) {
      const char* kind = one.highlight ? "chosen " : "";
      svg += fmt::format(
          "<path class=\"{0}interval\" d=\"M{1:.1f} {2:.1f}H{3:.1f}M{1:.1f} {4:.1f}v10M{3:.1f} "
          "{4:.1f}v10\"/><circle class=\"{0}dot\" cx=\"{5:.1f}\" cy=\"{2:.1f}\" r=\"5\"/>",
          kind, scale.x(one.low), y, scale.x(one.high), y - 5, scale.x(one.value));
    }
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", kWidth - kRight + 18, y + 4.5,
                       svg_text(one.text));
    y += kLine;
  }
  return svg + "</svg>\n";
}

}  // namespace toolkit::report
