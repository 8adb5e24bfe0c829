#include "projects/dash_window/shown_values.h"

#include <QDateTime>

namespace toolkit::dash {

QString shown_or_unknown(const std::optional<double>& value, const QString& unit, int digits) {
  return value ? QString::number(*value, 'f', digits) + " " + unit : QString(kUnknown);
}

QString number_or_dash(const std::optional<double>& value, int digits) {
  return value ? QString::number(*value, 'f', digits) : QString(QChar(0x2013));
}

QString local_time(int64_t seconds) {
  return QDateTime::fromSecsSinceEpoch(seconds).toString("yyyy-MM-dd HH:mm");
}

QString duration(int64_t seconds) {
  return QString("%1:%2:%3")
      .arg(seconds / 3600)
      .arg(seconds / 60 % 60, 2, 10, QChar('0'))
      .arg(seconds % 60, 2, 10, QChar('0'));
}

}  // namespace toolkit::dash
