#include "projects/dash_window/card.h"

#include <QPainter>
#include <QPainterPath>
#include <algorithm>

namespace toolkit::dash {

namespace {

constexpr double kRadius = 8, kEdgeWidth = 4;
constexpr int kMeterHeight = 6;

}  // namespace

Card::Card(const Theme& theme, QWidget* parent) : QFrame(parent), theme_(theme) {}

void Card::set_edge(const QColor& edge) {
  edge_ = edge;
  update();
}

void Card::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  QPainterPath plate;
  plate.addRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), kRadius, kRadius);
  painter.setPen(QPen(theme_.border, 1));
  painter.setBrush(theme_.card);
  painter.drawPath(plate);
  if (!edge_.isValid()) return;
  painter.setClipPath(plate);
  painter.fillRect(QRectF(0, 0, kEdgeWidth, height()), edge_);
}

Meter::Meter(const Theme& theme, QWidget* parent) : QWidget(parent), theme_(theme) {
  setFixedHeight(kMeterHeight);
}

void Meter::show_share(double share, const QColor& color) {
  share_ = std::clamp(share, 0.0, 1.0);
  color_ = color;
  update();
}

void Meter::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(Qt::NoPen);
  const double round = height() / 2.0;
  painter.setBrush(theme_.border);
  painter.drawRoundedRect(QRectF(rect()), round, round);
  painter.setBrush(color_);
  painter.drawRoundedRect(QRectF(0, 0, std::max(width() * share_, 2 * round), height()), round,
                          round);
}

QLabel* make_label(const char* object_name, const QColor& color, double scale, bool bold) {
  auto* made = new QLabel;
  made->setObjectName(object_name);
  made->setWordWrap(true);
  made->setTextFormat(Qt::PlainText);
  QFont font = made->font();
  font.setPointSizeF(font.pointSizeF() * scale);
  font.setBold(bold);
  made->setFont(font);
  set_color(made, color);
  return made;
}

void set_color(QLabel* label, const QColor& color) {
  QPalette palette = label->palette();
  palette.setColor(QPalette::WindowText, color);
  label->setPalette(palette);
}

}  // namespace toolkit::dash
