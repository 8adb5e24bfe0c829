#pragma once

#include <QWidget>
#include <deque>
#include <optional>

#include "projects/dash_window/theme.h"

namespace toolkit::dash {

/// The speed of the last two minutes as a line, with its highest value; gaps where it is unknown.
class Sparkline : public QWidget {
 public:
  explicit Sparkline(const Theme& theme, QWidget* parent = nullptr);
  void add(double clock_s, std::optional<double> value);
  size_t count() const { return points_.size(); }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  void draw_scale(QPainter& painter, double highest) const;
  struct Point {
    double clock_s;
    std::optional<double> value;
  };
  Theme theme_;
  std::deque<Point> points_;
};

}  // namespace toolkit::dash
