#include "projects/dash_window/history_window.h"

#include <QChart>
#include <QDateTime>
#include <QDateTimeAxis>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QLegend>
#include <QLegendMarker>
#include <QLineSeries>
#include <QPainter>
#include <QPen>
#include <QPushButton>
#include <QTabWidget>
#include <QVBoxLayout>
#include <QValueAxis>
#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/paths.h"
#include "core/files/disk_space.h"
#include "core/model_store/utc_time.h"
#include "core/monitor/history/export.h"
#include "projects/dash_window/shown_values.h"
#include "projects/dash_window/tables.h"

namespace toolkit::dash {

namespace {

using monitor::History;
using monitor::Sample;

using Kind = Column::Kind;

constexpr int kPoints = 600, kMargin = 12;
constexpr double kLineWidth = 1.8;
/// Told apart also by who sees few colours (Okabe and Ito 2008); the blue that stands out first.
std::vector<QColor> series_colors(const Theme& theme) {
  std::vector<QColor> colors = {QColor(0x00, 0x72, 0xb2), QColor(0xe6, 0x9f, 0x00),
                                QColor(0x00, 0x9e, 0x73), QColor(0xd5, 0x5e, 0x00),
                                QColor(0x56, 0xb4, 0xe9), QColor(0xcc, 0x79, 0xa7)};
  if (theme.is_dark) std::swap(colors[0], colors[4]);
  return colors;
}

/// A stretch of time whose ticks are round: midnights, or every fourth hour of a day.
struct Span {
  int64_t from_s = 0, to_s = 0;
  int ticks = 0;
  const char* format = "";
};

Span span_of(int days) {
  const QDateTime now = QDateTime::currentDateTime();
  if (days == 1) {
    const QTime hour(now.time().hour() / 4 * 4, 0);
    const int64_t to_s = QDateTime(now.date(), hour).toSecsSinceEpoch() + 4 * 3600;
    return {to_s - model_store::kDaySeconds, to_s, 7, "HH:mm"};
  }
  const QDate end = now.date().addDays(1);
  return {QDateTime(end.addDays(-days), QTime(0, 0)).toSecsSinceEpoch(),
          QDateTime(end, QTime(0, 0)).toSecsSinceEpoch(), days == 7 ? 8 : 7,
          days == 7 ? "ddd d" : "d MMM"};
}

/// One line a model; `value` picks what is drawn.
template <class Value>
std::map<std::string, QList<QPointF>> lines_of(const std::vector<Sample>& samples,
                                               const Value& value) {
  std::map<std::string, QList<QPointF>> lines;
  for (const Sample& sample : samples)
    if (const auto y = value(sample))
      lines[sample.model].append(QPointF(1000.0 * static_cast<double>(sample.time_s), *y));
  return lines;
}

/// Parts of a line between gaps of more than `gap_ms`, in which nothing was measured.
std::vector<QList<QPointF>> unbroken(const QList<QPointF>& points, double gap_ms) {
  std::vector<QList<QPointF>> parts;
  for (const QPointF& point : points) {
    if (parts.empty() || point.x() - parts.back().last().x() > gap_ms) parts.emplace_back();
    parts.back().append(point);
  }
  for (QList<QPointF>& part : parts)  // a single point would not be seen
    if (part.size() == 1) part.append(part.first() + QPointF(gap_ms, 0));
  return parts;
}

void add_line(QChart* chart, const QString& name, const QColor& color, const QList<QPointF>& points,
              double gap_ms) {
  bool is_first = true;
  for (const QList<QPointF>& part : unbroken(points, gap_ms)) {
    auto* series = new QLineSeries;
    series->setName(name);
    series->setPen(QPen(color, kLineWidth, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    series->replace(part);
    chart->addSeries(series);
    for (QAbstractAxis* axis : chart->axes()) series->attachAxis(axis);
    for (QLegendMarker* marker : chart->legend()->markers(series)) marker->setVisible(is_first);
    is_first = false;
  }
}

QChart* make_chart(const Theme& theme, const QString& unit,
                   const std::map<std::string, QList<QPointF>>& lines, const Span& span) {
  auto* chart = new QChart;
  chart->setBackgroundBrush(theme.card);
  chart->setMargins(QMargins(kMargin / 2, kMargin / 2, kMargin, kMargin / 2));
  chart->legend()->setLabelColor(theme.text);
  chart->legend()->setMarkerShape(QLegend::MarkerShapeCircle);
  auto* time = new QDateTimeAxis;
  time->setRange(QDateTime::fromSecsSinceEpoch(span.from_s),
                 QDateTime::fromSecsSinceEpoch(span.to_s));
  time->setFormat(span.format);
  time->setTickCount(span.ticks);
  auto* axis = new QValueAxis;
  axis->setTitleText(unit);
  axis->setLabelFormat("%.0f");
  for (QAbstractAxis* one :
       {static_cast<QAbstractAxis*>(time), static_cast<QAbstractAxis*>(axis)}) {
    one->setLabelsColor(theme.text);
    one->setTitleBrush(theme.faint);
    one->setTitleFont(chart->font());
    one->setGridLineColor(theme.border);
    one->setLinePenColor(theme.border);
  }
  chart->addAxis(time, Qt::AlignBottom);
  chart->addAxis(axis, Qt::AlignLeft);
  double highest = 1;
  size_t color = 0;
  const std::vector<QColor> colors = series_colors(theme);
  for (const auto& [model, points] : lines) {
    add_line(chart, model.empty() ? "no model" : QString::fromStdString(model),
             colors[color++ % colors.size()], points,
             4000.0 * static_cast<double>(span.to_s - span.from_s) / kPoints);
    for (const QPointF& point : points) highest = std::max(highest, point.y());
  }
  axis->setRange(0, highest * 1.1);
  axis->applyNiceNumbers();
  return chart;
}

void put(QChartView* view, QChart* chart) {
  QChart* before = view->chart();
  view->setChart(chart);
  delete before;
}

}  // namespace

HistoryWindow::HistoryWindow(const Theme& theme, std::filesystem::path file)
    : theme_(theme), file_(std::move(file)) {
  setWindowTitle("History - mlx-dash");
  resize(900, 620);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(kMargin, kMargin, kMargin, kMargin);
  auto* top = new QHBoxLayout;
  span_ = new QComboBox;
  span_->setObjectName("span");
  span_->addItems({"Last day", "Last week", "Last 30 days"});
  span_->setCurrentIndex(1);
  model_ = new QComboBox;
  model_->setObjectName("model");
  model_->addItem("All models");
  auto* refresh_button = new QPushButton("Refresh");
  auto* export_button = new QPushButton("Export ...");
  export_button->setObjectName("export");
  top->addWidget(span_);
  top->addWidget(model_, 1);
  top->addWidget(refresh_button);
  top->addWidget(export_button);
  layout->addLayout(top);
  auto* tabs = new QTabWidget;
  tabs->setObjectName("tabs");
  tabs->addTab(speed_ = new QChartView, "Speed");
  tabs->addTab(memory_ = new QChartView, "Memory");
  for (QChartView* view : {speed_, memory_}) view->setRenderHint(QPainter::Antialiasing);
  models_ = make_table({{"Model", Kind::kWideText},
                        {"Sessions"},
                        {"Time"},
                        {"Tokens"},
                        {"tok/s"},
                        {"Best tok/s"},
                        {"GB"}},
                       "models");
  sessions_ = make_table({{"Began", Kind::kText},
                          {"Lasted"},
                          {"Model", Kind::kWideText},
                          {"Tokens"},
                          {"tok/s"},
                          {"GB"}},
                         "sessions");
  benchmarks_ = make_benchmark_table("benchmarks");
  tabs->addTab(models_, "Models");
  tabs->addTab(sessions_, "Sessions");
  tabs->addTab(benchmarks_, "Benchmarks");
  layout->addWidget(tabs, 1);
  layout->addWidget(note_ = new QLabel);
  note_->setObjectName("note");
  note_->setWordWrap(true);
  connect(span_, &QComboBox::currentIndexChanged, this, [this] { refresh(); });
  connect(model_, &QComboBox::activated, this, [this] { refresh(); });
  connect(refresh_button, &QPushButton::clicked, this, [this] { refresh(); });
  connect(export_button, &QPushButton::clicked, this, [this] {
    const QString chosen = QFileDialog::getSaveFileName(this, "Export the history", "history.json",
                                                        "JSON (*.json);;Sessions as CSV (*.csv)");
    if (!chosen.isEmpty()) export_to(chosen);
  });
  refresh();
}

int HistoryWindow::days_shown() const {
  constexpr int kDays[] = {1, 7, 30};
  return kDays[std::clamp(span_->currentIndex(), 0, 2)];
}

void HistoryWindow::refresh() {
  if (!std::filesystem::exists(file_)) {
    note_->setText("Nothing recorded yet. History is kept from now on.");
    return;
  }
  try {
    const History history = History::open_to_read(file_);
    const Span span = span_of(days_shown());
    show_tables(history, span.from_s, span.to_s);
    show_charts(history);
    note_->setText("");
  } catch (const Error& error) {
    note_->setText(error.what());
  }
}

void HistoryWindow::show_charts(const History& history) {
  const Span span = span_of(days_shown());
  const std::string model =
      model_->currentIndex() > 0 ? model_->currentText().toStdString() : std::string();
  const auto samples = history.samples(span.from_s, span.to_s, model, kPoints);
  put(speed_,
      make_chart(theme_, "tokens per second",
                 lines_of(samples, [](const Sample& one) { return one.tokens_per_second; }), span));
  const auto gigabytes = [](const std::optional<int64_t>& bytes) {
    return bytes ? std::optional<double>(static_cast<double>(*bytes) / 1e9) : std::nullopt;
  };
  auto lines = lines_of(samples, [&](const Sample& one) { return gigabytes(one.model_bytes); });
  // What all memory holds is the same whichever model a sample is of.
  QList<QPointF>& whole = lines["in use on this machine"];
  for (const Sample& one : samples) {
    const auto used = gigabytes(one.memory_used_bytes);
    const double x = 1000.0 * static_cast<double>(one.time_s);
    if (used && (whole.isEmpty() || whole.last().x() < x)) whole.append(QPointF(x, *used));
  }
  put(memory_, make_chart(theme_, "GB", lines, span));
}

void HistoryWindow::show_tables(const History& history, int64_t from_s, int64_t to_s) {
  models_->setRowCount(0);
  sessions_->setRowCount(0);
  benchmarks_->setRowCount(0);
  const QString chosen = model_->currentText();
  while (model_->count() > 1) model_->removeItem(1);
  for (const auto& one : history.statistics()) {
    const QString name = QString::fromStdString(one.model_name);
    model_->addItem(name);
    add_row(models_,
            {name, QString::number(one.sessions), duration(one.seconds),
             QString::number(one.total_tokens), number_or_dash(one.avg_tokens_per_sec),
             number_or_dash(one.best_tokens_per_sec), number_or_dash(one.peak_memory_gb, 2)});
  }
  model_->setCurrentIndex(std::max(0, model_->findText(chosen)));
  auto sessions = history.sessions(from_s, to_s);
  std::reverse(sessions.begin(), sessions.end());
  for (const auto& one : sessions)
    add_row(sessions_,
            {local_time(one.started_at_s), duration(one.ended_at_s - one.started_at_s),
             QString::fromStdString(one.model_name), QString::number(one.total_tokens),
             number_or_dash(one.avg_tokens_per_sec), number_or_dash(one.peak_memory_gb, 2)});
  for (const auto& one : history.benchmarks()) add_benchmark(benchmarks_, one);
}

bool HistoryWindow::export_to(const QString& file) {
  try {
    const History history = History::open_to_read(file_);
    const Span span = span_of(days_shown());
    const std::string text =
        file.endsWith(".csv")
            ? monitor::history_csv(history, "sessions", span.from_s, span.to_s)
            : monitor::history_json(history, span.from_s, span.to_s).dump(1) + "\n";
    write_file_atomically(file.toStdString(), text);
    note_->setText(QString("%1 of history written to %2.")
                       .arg(QString::fromStdString(files::shown_bytes(text.size())),
                            QString::fromStdString(shown_path(file.toStdString()))));
    return true;
  } catch (const Error& error) {
    note_->setText(error.what());
    return false;
  }
}

}  // namespace toolkit::dash
