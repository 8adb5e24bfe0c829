#include "projects/dash_window/sparkline.h"

#include <QPainter>
#include <QPainterPath>
#include <algorithm>
#include <cmath>

namespace toolkit::dash {

namespace {

constexpr double kSeconds = 120;
constexpr int kBelow = 4;  // pixels under the line

/// The next of 1, 2, 5, 10, 20 ... that is not below `value`.
double round_up(double value) {
  const double power = std::pow(10, std::floor(std::log10(std::max(value, 1.0))));
  for (const double step : {1.0, 2.0, 5.0})
    if (value <= step * power) return step * power;
  return 10 * power;
}

}  // namespace

Sparkline::Sparkline(const Theme& theme, QWidget* parent) : QWidget(parent), theme_(theme) {
  setMinimumHeight(3 * fontMetrics().height() + 24);
  setAccessibleName("tokens per second, last two minutes");
}

void Sparkline::add(double clock_s, std::optional<double> value) {
  points_.push_back({clock_s, value});
  while (points_.front().clock_s < clock_s - kSeconds) points_.pop_front();
  update();
}

void Sparkline::draw_scale(QPainter& painter, double highest) const {
  QFont small = font();
  small.setPointSizeF(small.pointSizeF() * 0.85);
  painter.setFont(small);
  painter.setPen(QPen(theme_.border, 1));
  painter.drawLine(0, height() - kBelow, width(), height() - kBelow);
  if (highest <= 0) return;
  painter.setPen(theme_.faint);
  painter.drawText(rect(), Qt::AlignTop | Qt::AlignLeft, QString("%1 tok/s").arg(highest));
  painter.drawText(rect(), Qt::AlignTop | Qt::AlignRight, "last 2 min");
}

void Sparkline::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  double highest = 0;
  for (const Point& point : points_) highest = std::max(highest, point.value.value_or(0));
  draw_scale(painter, highest > 0 ? round_up(highest) : 0);
  highest = round_up(highest);
  const double bottom = height() - kBelow, top = painter.fontMetrics().height() + 2;
  QPainterPath line, area;
  bool drawing = false;
  double last_x = 0;
  const auto close = [&] {
    if (drawing) area.lineTo(last_x, bottom);
    drawing = false;
  };
  for (const Point& point : points_) {
    if (!point.value) {
      close();
      continue;
    }
    const double x = width() * (1 - (points_.back().clock_s - point.clock_s) / kSeconds);
    const QPointF at(x, bottom - *point.value / highest * (bottom - top));
    if (!drawing) line.moveTo(at), area.moveTo(x, bottom);
    line.lineTo(at);
    area.lineTo(at);
    drawing = true;
    last_x = x;
  }
  close();
  QColor shade = theme_.line;
  shade.setAlphaF(0.15F);
  painter.fillPath(area, shade);
  painter.setPen(QPen(theme_.line, 2, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
  painter.drawPath(line);
}

}  // namespace toolkit::dash
