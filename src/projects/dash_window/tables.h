#pragma once

#include <QTableWidget>
#include <vector>

#include "core/monitor/history/history.h"

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

/// One for runs of the benchmark, and a run in it.
QTableWidget* make_benchmark_table(const char* object_name);
void add_benchmark(QTableWidget* table, const monitor::BenchmarkRecord& run);

}  // namespace toolkit::dash
