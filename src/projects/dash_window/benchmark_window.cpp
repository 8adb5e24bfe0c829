#include "projects/dash_window/benchmark_window.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QMetaObject>
#include <QVBoxLayout>

#include "core/base/error.h"
#include "core/model_store/utc_time.h"
#include "core/monitor/history/history.h"
#include "core/monitor/installed.h"

namespace toolkit::dash {

namespace {

QString number(const std::optional<double>& value, int digits = 1) {
  return value ? QString::number(*value, 'f', digits) : QString("-");
}

}  // namespace

QTableWidget* make_table(const QStringList& header, const char* object_name) {
  auto* table = new QTableWidget(0, static_cast<int>(header.size()));
  table->setObjectName(object_name);
  table->setHorizontalHeaderLabels(header);
  table->setEditTriggers(QAbstractItemView::NoEditTriggers);
  table->setSelectionBehavior(QAbstractItemView::SelectRows);
  table->setAlternatingRowColors(true);
  table->verticalHeader()->hide();
  table->horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
  table->horizontalHeader()->setStretchLastSection(true);
  return table;
}

void add_row(QTableWidget* table, const QStringList& cells) {
  const int row = table->rowCount();
  table->insertRow(row);
  for (int column = 0; column < cells.size(); ++column)
    table->setItem(row, column, new QTableWidgetItem(cells[column]));
}

BenchmarkWindow::BenchmarkWindow(const monitor::Preferences& preferences,
                                 std::filesystem::path history_file)
    : preferences_(preferences), history_file_(std::move(history_file)) {
  setWindowTitle("Benchmark - mlx-dash");
  resize(720, 640);
  auto* layout = new QVBoxLayout(this);
  auto* top = new QHBoxLayout;
  server_ = new QComboBox;
  server_->setObjectName("server");
  server_->setEditable(true);
  for (const std::string& url : preferences.urls()) server_->addItem(QString::fromStdString(url));
  model_ = new QComboBox;
  model_->setObjectName("model");
  model_->setEditable(true);
  button_ = new QPushButton("Run");
  button_->setObjectName("run");
  top->addWidget(new QLabel("Server"));
  top->addWidget(server_, 1);
  top->addWidget(new QLabel("Model"));
  top->addWidget(model_, 1);
  top->addWidget(button_);
  layout->addLayout(top);
  layout->addWidget(progress_ = new QProgressBar);
  progress_->setObjectName("progress");
  progress_->setRange(0, preferences.benchmark_prompts);
  layout->addWidget(summary_ = new QLabel);
  summary_->setObjectName("summary");
  summary_->setWordWrap(true);
  summary_->setTextFormat(Qt::PlainText);
  prompts_ = make_table({"Prompt", "Tokens", "tok/s", "First token ms", "Latency ms"}, "prompts");
  earlier_ = make_table({"Run (UTC)", "Model", "tok/s", "p50 ms", "p95 ms", "GB"}, "earlier");
  layout->addWidget(prompts_, 3);
  layout->addWidget(new QLabel("Earlier runs"));
  layout->addWidget(earlier_, 2);
  connect(button_, &QPushButton::clicked, this, [this] { start(); });
  connect(server_, &QComboBox::currentTextChanged, this, [this] { list_models(); });
  list_models();
  show_earlier();
}

BenchmarkWindow::~BenchmarkWindow() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  if (list_thread_.joinable()) list_thread_.join();
}

void BenchmarkWindow::list_models() {
  if (list_thread_.joinable()) list_thread_.join();
  list_thread_ = std::thread([this, url = server_->currentText().toStdString()] {
    std::string trouble;
    QStringList names;
    try {
      for (const auto& model : monitor::installed_models(url, trouble))
        names << QString::fromStdString(model.name);
    } catch (const Error&) {
      names.clear();  // an address that is still being typed
    }
    QMetaObject::invokeMethod(
        this,
        [this, names] {
          const QString chosen = model_->currentText();
          model_->clear();
          model_->addItems(names);
          if (!chosen.isEmpty() && names.contains(chosen)) model_->setCurrentText(chosen);
        },
        Qt::QueuedConnection);
  });
}

void BenchmarkWindow::start() {
  if (running_) {
    stop_ = true;
    button_->setEnabled(false);
    return;
  }
  if (thread_.joinable()) thread_.join();
  running_ = true;
  stop_ = false;
  button_->setText("Stop");
  prompts_->setRowCount(0);
  summary_->setText("Warm-up ...");
  progress_->setValue(0);
  const monitor::BenchmarkOptions options{.url = server_->currentText().toStdString(),
                                          .model = model_->currentText().toStdString(),
                                          .prompts = preferences_.benchmark_prompts};
  thread_ = std::thread([this, options] { run(options); });
}

void BenchmarkWindow::run(monitor::BenchmarkOptions options) {
  const auto tell = [this](size_t done, size_t all, const std::string& what) {
    if (stop_) fail(ErrorKind::kIo, "stopped");
    QMetaObject::invokeMethod(
        this,
        [this, done, all, name = QString::fromStdString(what)] {
          progress_->setRange(0, static_cast<int>(all));
          progress_->setValue(static_cast<int>(done));
          if (!name.isEmpty()) summary_->setText(QString("%1 ...").arg(name));
        },
        Qt::QueuedConnection);
  };
  try {
    const auto sensors = platform::open_sensors();
    const auto result = monitor::run_benchmark(options, sensors.get(), tell);
    monitor::History::open(history_file_)
        .add_benchmark(monitor::to_record(result, model_store::now_s()));
    QMetaObject::invokeMethod(this, [this, result] { show_result(result); }, Qt::QueuedConnection);
  } catch (const Error& error) {
    QMetaObject::invokeMethod(
        this, [this, words = QString(error.what())] { show_end(words); }, Qt::QueuedConnection);
  }
}

void BenchmarkWindow::show_result(const monitor::BenchmarkResult& result) {
  for (const auto& one : result.prompts)
    add_row(prompts_, {QString::fromStdString(one.name), QString::number(one.tokens),
                       number(one.tokens_per_second), number(1000 * one.first_token_s, 0),
                       number(1000 * one.latency_s, 0)});
  show_end(QString("%1: %2 tok/s, latency p50 %3 ms, p95 %4 ms, first token %5 ms, memory %6, "
                   "energy %7, in %8 s")
               .arg(QString::fromStdString(result.model), number(result.avg_tokens_per_sec),
                    number(result.p50_latency_ms, 0), number(result.p95_latency_ms, 0),
                    number(result.first_token_ms, 0),
                    result.peak_memory_gb ? number(result.peak_memory_gb, 2) + " GB"
                                          : QString("unknown"),
                    result.joules_per_token ? number(result.joules_per_token, 2) + " J per token"
                                            : QString("unknown"),
                    number(result.total_s)));
  show_earlier();
}

void BenchmarkWindow::show_end(const QString& words) {
  running_ = false;
  button_->setText("Run");
  button_->setEnabled(true);
  summary_->setText(words);
}

void BenchmarkWindow::show_earlier() {
  earlier_->setRowCount(0);
  if (!std::filesystem::exists(history_file_)) return;
  try {
    for (const auto& one : monitor::History::open_to_read(history_file_).benchmarks())
      add_row(earlier_, {QString::fromStdString(model_store::utc_text(one.ran_at_s)),
                         QString::fromStdString(one.model_name), number(one.avg_tokens_per_sec),
                         number(one.p50_latency_ms, 0), number(one.p95_latency_ms, 0),
                         number(one.peak_memory_gb, 2)});
  } catch (const Error& error) {
    summary_->setText(error.what());
  }
}

}  // namespace toolkit::dash
