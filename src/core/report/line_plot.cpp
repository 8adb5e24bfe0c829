#include "core/report/line_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/report/svg_text.h"
#include "core/report/text_width.h"

namespace toolkit::report {

namespace {

constexpr double kWidth = 760, kHeight = 430;
constexpr double kLeft = 68, kRight = 24, kTop = 76, kBottom = 58;
constexpr size_t kColors = 6;

// Colours that colour-blind readers can tell apart, lighter on dark pages. Written out instead of
// CSS variables, which many viewers of SVG files do not know.
constexpr const char* kLight[] = {"#0a6ebd", "#c9510c", "#1a7f56", "#8b4fbd", "#a67300", "#b8336a"};
constexpr const char* kDark[] = {"#58a6ff", "#f0883e", "#3fb98a", "#b392f0", "#d9a826", "#f778a8"};

constexpr const char* kStyle = R"(<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
text.title { font-size: 17px; font-weight: 600; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
)";

/// The rules of one colour scheme for `series` lines.
std::string color_rules(bool dark, size_t series) {
  std::string rules = dark ? "text { fill: #9198a1; } text.title, text.legend { fill: #e6edf3; } "
                             ".page { fill: #0d1117; } "
                             ".grid { stroke: #2d333b; } .axis { stroke: #9198a1; }\n"
                           : "text { fill: #59636e; } text.title, text.legend { fill: #1f2328; } "
                             ".page { fill: #ffffff; } "
                             ".grid { stroke: #d9dee3; } .axis { stroke: #59636e; }\n";
  for (size_t i = 0; i < std::min(kColors, series); ++i)
    rules += fmt::format(".s{0} {{ stroke: {1}; }} .p{0} {{ fill: {1}; }}\n", i,
                         (dark ? kDark : kLight)[i]);
  return rules;
}

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void include(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

/// Ticks at 1, 2 or 5 times a power of ten, and the range they cover.
struct Axis {
  double low = 0, high = 1, step = 0.2;

  std::vector<double> ticks() const {
    std::vector<double> values;
    for (double i = std::ceil(low / step - 1e-9); i * step <= high + step * 1e-9; ++i)
      values.push_back(i * step);
    return values;
  }
};

Axis axis_for(Range range, int wanted, bool widen) {
  if (range.low > range.high) range = {0, 1};
  if (range.low == range.high) {
    const double margin = range.low == 0 ? 1 : std::abs(range.low) * 0.1;
    range = {range.low - margin, range.high + margin};
  }
  const double raw = (range.high - range.low) / wanted;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  const double share = raw / power;
  const double step = power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
  if (!widen) return {range.low, range.high, step};
  return {std::floor(range.low / step) * step, std::ceil(range.high / step) * step, step};
}

std::string tick_text(double value, double step) {
  if (std::abs(value) < step * 1e-6) return "0";
  const double size = std::max(std::abs(value), step);
  if (size >= 1e6 || size < 1e-4) return fmt::format("{:.3g}", value);
  const int decimals = std::clamp(static_cast<int>(-std::floor(std::log10(step) + 1e-9)), 0, 8);
  return fmt::format("{:.{}f}", value, decimals);
}

class Painter {
 public:
  explicit Painter(const LinePlot& plot) : plot_(plot) {
    Range x, y;
    for (const Series& series : plot.series) {
      for (size_t i = 0; i < std::min(series.x.size(), series.y.size()); ++i) {
        if (!std::isfinite(series.x[i]) || !std::isfinite(series.y[i])) continue;
        x.include(series.x[i]);
        y.include(series.y[i]);
      }
    }
    x_ = axis_for(x, 8, false);
    y_ = axis_for(y, 5, true);
  }

  std::string svg() {
    out_ += fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
        "height=\"{1}\" role=\"img\">\n",
        kWidth, kHeight);
    out_ += fmt::format("<title>{}</title>\n{}", svg_text(plot_.title), kStyle);
    const size_t count = plot_.series.size();
    out_ += color_rules(false, count) + "@media (prefers-color-scheme: dark) {\n" +
            color_rules(true, count) + "}\n";
    out_ += fmt::format("</style>\n<rect class=\"page\" width=\"{}\" height=\"{}\" rx=\"8\"/>\n",
                        kWidth, kHeight);
    out_ += fmt::format("<text class=\"title\" x=\"{}\" y=\"30\">{}</text>\n", kLeft,
                        svg_text(plot_.title));
    axes();
    legend();
    for (size_t i = 0; i < plot_.series.size(); ++i) series(plot_.series[i], i % kColors);
    return out_ + "</svg>\n";
  }

 private:
  double px(double x) const {
    return kLeft + (x - x_.low) / (x_.high - x_.low) * (kWidth - kLeft - kRight);
  }
  double py(double y) const {
    return kHeight - kBottom - (y - y_.low) / (y_.high - y_.low) * (kHeight - kTop - kBottom);
  }

  void line(const char* kind, double x1, double y1, double x2, double y2) {
    out_ += fmt::format(
        "<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", kind, x1,
        y1, x2, y2);
  }

  void text(double x, double y, const char* anchor, const std::string& content,
            const std::string& more = "") {
    out_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y,
                        anchor, more, svg_text(content));
  }

  void axes() {
    const double bottom = kHeight - kBottom, right = kWidth - kRight;
    for (double tick : y_.ticks()) {
      line("grid", kLeft, py(tick), right, py(tick));
      text(kLeft - 10, py(tick) + 4.5, "end", tick_text(tick, y_.step));
    }
    for (double tick : x_.ticks()) {
      line("axis", px(tick), bottom, px(tick), bottom + 5);
      text(px(tick), bottom + 21, "middle", tick_text(tick, x_.step));
    }
    line("axis", kLeft, bottom, right, bottom);
    text((kLeft + right) / 2, kHeight - 14, "middle", plot_.x_label);
    const double middle = (kTop + bottom) / 2;
    text(18, middle, "middle", plot_.y_label,
         fmt::format(" transform=\"rotate(-90 18 {:.1f})\"", middle));
  }

  void legend() {
    double x = kLeft;
    for (size_t i = 0; i < plot_.series.size(); ++i) {
      const Series& one = plot_.series[i];
      if (one.name.empty()) continue;
      if (one.markers)
        out_ += fmt::format("<circle class=\"p{}\" cx=\"{:.1f}\" cy=\"52\" r=\"4\"/>\n",
                            i % kColors, x + 9);
      else
        out_ += fmt::format("<path class=\"line s{}\" d=\"M{:.1f} 52h18\"/>\n", i % kColors, x);
      text(x + 25, 56.5, "start", one.name, " class=\"legend\"");
      x += 25 + 7.4 * display_width(one.name) + 22;
    }
  }

  /// A point that is not a number breaks the line instead of drawing it to nowhere.
  void series(const Series& one, size_t color) {
    std::string path;
    bool down = false;
    for (size_t i = 0; i < std::min(one.x.size(), one.y.size()); ++i) {
      if (!std::isfinite(one.x[i]) || !std::isfinite(one.y[i])) {
        down = false;
        continue;
      }
      if (one.markers)
        out_ += fmt::format("<circle class=\"p{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\"/>\n", color,
                            px(one.x[i]), py(one.y[i]));
      else
        path += fmt::format("{}{:.1f} {:.1f}", down ? "L" : "M", px(one.x[i]), py(one.y[i]));
      down = true;
    }
    if (!path.empty()) out_ += fmt::format("<path class=\"line s{}\" d=\"{}\"/>\n", color, path);
  }

  const LinePlot& plot_;
  Axis x_, y_;
  std::string out_;
};

}  // namespace

std::string to_svg(const LinePlot& plot) {
  return Painter(plot).svg();
}

}  // namespace toolkit::report
