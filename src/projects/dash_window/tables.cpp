#include "projects/dash_window/tables.h"

#include <QHeaderView>

#include "projects/dash_window/shown_values.h"

namespace toolkit::dash {

namespace {

constexpr int kRowMargin = 10;
constexpr const char* kStyle =
    "QTableView { border: 1px solid palette(mid); }"
    "QTableView::item { border: 0; padding: 0 8px; }"
    "QTableView::item:selected { background: palette(highlight); color: "
    "palette(highlighted-text); }"
    "QHeaderView { background: palette(window); }"
    "QHeaderView::section { padding: 4px 11px; border: none; background: palette(window); }";

Qt::Alignment alignment(Column::Kind kind) {
  return (kind == Column::Kind::kNumber ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter;
}

}  // namespace

QTableWidget* make_table(const std::vector<Column>& columns, const char* object_name) {
  auto* table = new QTableWidget(0, static_cast<int>(columns.size()));
  table->setObjectName(object_name);
  table->setStyleSheet(kStyle);
  table->setEditTriggers(QAbstractItemView::NoEditTriggers);
  table->setSelectionBehavior(QAbstractItemView::SelectRows);
  table->setSelectionMode(QAbstractItemView::SingleSelection);
  table->setAlternatingRowColors(true);
  table->setShowGrid(false);
  table->setWordWrap(false);
  table->verticalHeader()->hide();
  table->verticalHeader()->setDefaultSectionSize(table->fontMetrics().height() + kRowMargin);
  table->horizontalHeader()->setHighlightSections(false);
  for (int at = 0; at < table->columnCount(); ++at) {
    const Column& column = columns[static_cast<size_t>(at)];
    auto* title = new QTableWidgetItem(column.title);
    title->setTextAlignment(alignment(column.kind));
    title->setData(Qt::UserRole, static_cast<int>(alignment(column.kind)));
    table->setHorizontalHeaderItem(at, title);
    table->horizontalHeader()->setSectionResizeMode(at, column.kind == Column::Kind::kWideText
                                                            ? QHeaderView::Stretch
                                                            : QHeaderView::ResizeToContents);
  }
  return table;
}

void add_row(QTableWidget* table, const QStringList& cells) {
  const int row = table->rowCount();
  table->insertRow(row);
  for (int column = 0; column < cells.size(); ++column) {
    auto* item = new QTableWidgetItem(cells[column]);
    const int aligned = table->horizontalHeaderItem(column)->data(Qt::UserRole).toInt();
    item->setTextAlignment(static_cast<Qt::Alignment>(aligned));
    table->setItem(row, column, item);
  }
}

QTableWidget* make_benchmark_table(const char* object_name) {
  using Kind = Column::Kind;
  return make_table({{"Run", Kind::kText},
                     {"Model", Kind::kWideText},
                     {"tok/s"},
                     {"p50, ms"},
                     {"p95, ms"},
                     {"GB"}},
                    object_name);
}

void add_benchmark(QTableWidget* table, const monitor::BenchmarkRecord& run) {
  add_row(table, {local_time(run.ran_at_s), QString::fromStdString(run.model_name),
                  number_or_dash(run.avg_tokens_per_sec), number_or_dash(run.p50_latency_ms, 0),
                  number_or_dash(run.p95_latency_ms, 0), number_or_dash(run.peak_memory_gb, 2)});
}

}  // namespace toolkit::dash
