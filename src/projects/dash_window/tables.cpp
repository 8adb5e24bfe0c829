#include "projects/dash_window/tables.h"

#include <QDateTime>
#include <QHeaderView>

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
