#pragma once

#include <QFrame>
#include <QLabel>

#include "projects/dash_window/theme.h"

namespace toolkit::dash {

/// A plate with round corners on which things that belong together stand; with `edge`, a bar of
/// that colour at its left.
class Card : public QFrame {
 public:
  explicit Card(const Theme& theme, QWidget* parent = nullptr);
  void set_edge(const QColor& edge);

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  Theme theme_;
  QColor edge_;
};

/// A thin bar, filled from the left by a share.
class Meter : public QWidget {
 public:
  explicit Meter(const Theme& theme, QWidget* parent = nullptr);
  void show_share(double share, const QColor& color);  // 0..1

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  Theme theme_;
  double share_ = 0;
  QColor color_;
};

/// A label that wraps, in a colour and a size of `scale` times the usual.
QLabel* make_label(const char* object_name, const QColor& color, double scale = 1,
                   bool bold = false);
void set_color(QLabel* label, const QColor& color);

}  // namespace toolkit::dash
