#include "projects/dash_window/history_window.h"

#include <QChart>
#include <QDateTime>
#include <QDateTimeAxis>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QLegend>
#include <QLegendMarker>
#include <QLineSeries>
#include <QPushButton>
#include <QTabWidget>
#include <QVBoxLayout>
#include <QValueAxis>
#include <algorithm>
#include <map>
#include <vector>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/model_store/utc_time.h"
#include "core/monitor/history/export.h"
#include "projects/dash_window/benchmark_window.h"

namespace toolkit::dash {

namespace {

using monitor::History;
using monitor::Sample;

constexpr int kPoints = 600;
const QColor kSeriesColors[] = {QColor(0x1f, 0x77, 0xb4), QColor(0xff, 0x7f, 0x0e),
                                QColor(0x2c, 0xa0, 0x2c), QColor(0xd6, 0x27, 0x28),
                                QColor(0x94, 0x67, 0xbd), QColor(0x8c, 0x56, 0x4b)};

QString number(const std::optional<double>& value, int digits = 1) {
  return value ? QString::number(*value, 'f', digits) : QString("-");
}

QString duration(int64_t seconds) {
  return QString("%1:%2:%3")
      .arg(seconds / 3600)
      .arg(seconds / 60 % 60, 2, 10, QChar('0'))
      .arg(seconds % 60, 2, 10, QChar('0'));
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
  return parts;
}

void add_line(QChart* chart, const QString& name, const QColor& color, const QList<QPointF>& points,
              double gap_ms) {
  bool is_first = true;
  for (const QList<QPointF>& part : unbroken(points, gap_ms)) {
    auto* series = new QLineSeries;
    series->setName(name);
    series->setColor(color);
    series->replace(part);
    chart->addSeries(series);
    for (QAbstractAxis* axis : chart->axes()) series->attachAxis(axis);
    for (QLegendMarker* marker : chart->legend()->markers(series)) marker->setVisible(is_first);
    is_first = false;
  }
}

QChart* make_chart(const Theme& theme, const QString& unit,
                   const std::map<std::string, QList<QPointF>>& lines, int64_t from_s,
                   int64_t to_s) {
  auto* chart = new QChart;
  chart->setBackgroundBrush(theme.card);
  chart->legend()->setLabelColor(theme.text);
  chart->legend()->setVisible(lines.size() > 1);
  auto* time = new QDateTimeAxis;
  time->setRange(QDateTime::fromSecsSinceEpoch(from_s), QDateTime::fromSecsSinceEpoch(to_s));
  time->setFormat(to_s - from_s > 2 * 86'400 ? "dd.MM." : "HH:mm");
  auto* axis = new QValueAxis;
  axis->setTitleText(unit);
  for (QAbstractAxis* one :
       {static_cast<QAbstractAxis*>(time), static_cast<QAbstractAxis*>(axis)}) {
    one->setLabelsColor(theme.text);
    one->setTitleBrush(theme.text);
    one->setGridLineColor(theme.is_dark ? QColor(0x44, 0x4a, 0x53) : QColor(0xd8, 0xdc, 0xe1));
  }
  chart->addAxis(time, Qt::AlignBottom);
  chart->addAxis(axis, Qt::AlignLeft);
  double highest = 1;
  size_t color = 0;
  for (const auto& [model, points] : lines) {
    add_line(chart, model.empty() ? "no model" : QString::fromStdString(model),
             kSeriesColors[color++ % std::size(kSeriesColors)], points,
             4000.0 * static_cast<double>(to_s - from_s) / kPoints);
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
  resize(860, 640);
  auto* layout = new QVBoxLayout(this);
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
  models_ = make_table({"Model", "Sessions", "Time", "Tokens", "tok/s", "Best", "GB"}, "models");
  sessions_ = make_table({"Began (UTC)", "Lasted", "Model", "Tokens", "tok/s", "GB"}, "sessions");
  benchmarks_ = make_table({"Run (UTC)", "Model", "tok/s", "p50 ms", "p95 ms", "GB"}, "benchmarks");
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
    if (!chosen.isEmpty()) note_->setText(export_to(chosen));
  });
  refresh();
}

int64_t HistoryWindow::seconds_shown() const {
  constexpr int64_t kDays[] = {1, 7, 30};
  return kDays[std::clamp(span_->currentIndex(), 0, 2)] * model_store::kDaySeconds;
}

void HistoryWindow::refresh() {
  if (!std::filesystem::exists(file_)) {
    note_->setText("Nothing recorded yet. History is kept from now on.");
    return;
  }
  try {
    const History history = History::open_to_read(file_);
    const int64_t now_s = model_store::now_s(), from_s = now_s - seconds_shown();
    show_tables(history, from_s, now_s);
    show_charts(history, from_s, now_s);
    note_->setText("");
  } catch (const Error& error) {
    note_->setText(error.what());
  }
}

void HistoryWindow::show_charts(const History& history, int64_t from_s, int64_t now_s) {
  const std::string model =
      model_->currentIndex() > 0 ? model_->currentText().toStdString() : std::string();
  const auto samples = history.samples(from_s, now_s, model, kPoints);
  put(speed_, make_chart(theme_, "tokens per second",
                         lines_of(samples, [](const Sample& one) { return one.tokens_per_second; }),
                         from_s, now_s));
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
  put(memory_, make_chart(theme_, "GB", lines, from_s, now_s));
}

void HistoryWindow::show_tables(const History& history, int64_t from_s, int64_t now_s) {
  const auto utc = [](int64_t seconds) {
    return QString::fromStdString(model_store::utc_text(seconds));
  };
  models_->setRowCount(0);
  sessions_->setRowCount(0);
  benchmarks_->setRowCount(0);
  const QString chosen = model_->currentText();
  while (model_->count() > 1) model_->removeItem(1);
  for (const auto& one : history.statistics()) {
    const QString name = QString::fromStdString(one.model_name);
    model_->addItem(name);
    add_row(models_, {name, QString::number(one.sessions), duration(one.seconds),
                      QString::number(one.total_tokens), number(one.avg_tokens_per_sec),
                      number(one.best_tokens_per_sec), number(one.peak_memory_gb, 2)});
  }
  model_->setCurrentIndex(std::max(0, model_->findText(chosen)));
  auto sessions = history.sessions(from_s, now_s);
  std::reverse(sessions.begin(), sessions.end());
  for (const auto& one : sessions)
    add_row(sessions_, {utc(one.started_at_s), duration(one.ended_at_s - one.started_at_s),
                        QString::fromStdString(one.model_name), QString::number(one.total_tokens),
                        number(one.avg_tokens_per_sec), number(one.peak_memory_gb, 2)});
  for (const auto& one : history.benchmarks())
    add_row(benchmarks_, {utc(one.ran_at_s), QString::fromStdString(one.model_name),
                          number(one.avg_tokens_per_sec), number(one.p50_latency_ms, 0),
                          number(one.p95_latency_ms, 0), number(one.peak_memory_gb, 2)});
}

QString HistoryWindow::export_to(const QString& file) {
  try {
    const History history = History::open_to_read(file_);
    const int64_t now_s = model_store::now_s(), from_s = now_s - seconds_shown();
    const std::string text = file.endsWith(".csv")
                                 ? monitor::history_csv(history, "sessions", from_s, now_s)
                                 : monitor::history_json(history, from_s, now_s).dump(1) + "\n";
    write_file_atomically(file.toStdString(), text);
    return "Written to " + file;
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace toolkit::dash
