#include "projects/dash_window/icons.h"

#include <QPainter>
#include <QPainterPath>
#include <algorithm>
#include <cmath>
#include <numbers>

namespace toolkit::dash {

namespace {

constexpr int kSizes[] = {16, 22, 32, 44, 64};
constexpr double kFrom = 210, kSpan = 240;  // degrees of the arc, from lower left to lower right

/// A gauge in a square of side 1.
void draw_gauge(QPainter& painter, const QColor& color, double where) {
  painter.setPen(QPen(color, 0.09, Qt::SolidLine, Qt::RoundCap));
  painter.drawArc(QRectF(0.1, 0.12, 0.8, 0.8), static_cast<int>((kFrom - kSpan) * 16),
                  static_cast<int>(kSpan * 16));
  const double angle = (kFrom - kSpan * where) * std::numbers::pi / 180;
  const QPointF middle(0.5, 0.52);
  painter.drawLine(middle, middle + QPointF(0.28 * std::cos(angle), -0.28 * std::sin(angle)));
  painter.setBrush(color);
  painter.setPen(Qt::NoPen);
  painter.drawEllipse(middle, 0.08, 0.08);
}

void draw_pause(QPainter& painter, const QColor& color) {
  painter.setPen(QPen(color, 0.09));
  painter.drawEllipse(QRectF(0.1, 0.1, 0.8, 0.8));
  painter.setPen(QPen(color, 0.11, Qt::SolidLine, Qt::RoundCap));
  painter.drawLine(QPointF(0.4, 0.36), QPointF(0.4, 0.64));
  painter.drawLine(QPointF(0.6, 0.36), QPointF(0.6, 0.64));
}

template <class Draw>
QIcon drawn(const Draw& draw) {
  QIcon icon;
  for (const int size : kSizes) {
    QPixmap pixmap(size, size);
    pixmap.fill(Qt::transparent);
    QPainter painter(&pixmap);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.scale(size, size);
    draw(painter);
    painter.end();
    icon.addPixmap(pixmap);
  }
  return icon;
}

}  // namespace

double needle(double tokens_per_second) {
  return std::clamp(std::log(std::max(tokens_per_second, 1.0)) / std::log(200.0), 0.0, 1.0);
}

QIcon tray_icon(const monitor::Snapshot& snapshot, const QColor& color) {
  const std::string state = monitor::short_speed(snapshot);
  QIcon icon = drawn([&](QPainter& painter) {
    if (snapshot.is_active()) {
      draw_gauge(painter, color, needle(snapshot.speed.tokens_per_second.value_or(1)));
    } else {
      draw_pause(painter, color);
      if (state == "off") painter.drawLine(QPointF(0.15, 0.85), QPointF(0.85, 0.15));
    }
  });
  icon.setIsMask(true);
  return icon;
}

QIcon program_icon() {
  return drawn([](QPainter& painter) {
    painter.setPen(Qt::NoPen);
    painter.setBrush(QColor(0x0b, 0x3d, 0x63));
    painter.drawRoundedRect(QRectF(0, 0, 1, 1), 0.2, 0.2);
    painter.translate(0.1, 0.1);
    painter.scale(0.8, 0.8);
    draw_gauge(painter, Qt::white, 0.7);
  });
}

}  // namespace toolkit::dash
