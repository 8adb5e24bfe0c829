#pragma once

#include <QTableWidget>
#include <optional>
#include <vector>

namespace toolkit::dash {

/// A column: numbers stand to the right, the widest text takes the room that is left.
struct Column {
  enum class Kind { kText, kWideText, kNumber };
  QString title;
  Kind kind = Kind::kNumber;
};

/// A table that people read and cannot change; columns as wide as what is in them.
QTableWidget* make_table(const std::vector<Column>& columns, const char* object_name);
void add_row(QTableWidget* table, const QStringList& cells);

/// "41.3"; a dash where nothing is known.
QString number_or_dash(const std::optional<double>& value, int digits = 1);
/// "2026-11-27 14:05" on this machine's clock.
QString local_time(int64_t seconds);
/// "1:05:09".
QString duration(int64_t seconds);

}  // namespace toolkit::dash
