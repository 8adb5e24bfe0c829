#include "projects/dash_window/sparkline.h"

#include <QPainter>
#include <QPainterPath>
#include <algorithm>

namespace toolkit::dash {

namespace {

constexpr double kSeconds = 120;

}  // namespace

Sparkline::Sparkline(const Theme& theme, QWidget* parent) : QWidget(parent), theme_(theme) {
  setMinimumHeight(48);
  setAccessibleName("tokens per second, last two minutes");
}

void Sparkline::add(double clock_s, std::optional<double> value) {
  points_.push_back({clock_s, value});
  while (points_.front().clock_s < clock_s - kSeconds) points_.pop_front();
  update();
}

void Sparkline::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(QPen(theme_.faint, 1, Qt::DotLine));
  painter.drawLine(0, height() - 1, width(), height() - 1);
  double highest = 1;
  for (const Point& point : points_) highest = std::max(highest, point.value.value_or(0));
  QPainterPath path;
  bool drawing = false;
  for (const Point& point : points_) {
    const double x = width() * (1 - (points_.back().clock_s - point.clock_s) / kSeconds);
    const double y = height() - 2 - point.value.value_or(0) / highest * (height() - 6);
    if (point.value && drawing) path.lineTo(x, y);
    if (point.value && !drawing) path.moveTo(x, y);
    drawing = point.value.has_value();
  }
  painter.setPen(QPen(theme_.line, 2));
  painter.drawPath(path);
}

}  // namespace toolkit::dash
