#include "projects/dash_window/benchmark_window.h"

#include <QHBoxLayout>
#include <QMetaObject>
#include <QVBoxLayout>
#include <algorithm>

#include "core/base/error.h"
#include "core/model_store/utc_time.h"
#include "core/monitor/history/history.h"
#include "core/monitor/installed.h"
#include "core/monitor/sources/ollama_answers.h"
#include "projects/dash_window/card.h"
#include "projects/dash_window/shown_values.h"
#include "projects/dash_window/tables.h"

namespace toolkit::dash {

namespace {

using Kind = Column::Kind;

constexpr int kMargin = 12;

QString text(const std::string& utf8) {
  return QString::fromStdString(utf8);
}

std::optional<double> real(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

/// "911 ms", "3.54 s": two of them as "3.54 / 5.64 s".
QString shown_time(const std::optional<double>& ms, const std::optional<double>& second = {}) {
  if (!ms) return kUnknown;
  const bool in_seconds = std::max(*ms, second.value_or(0)) >= 1000;
  const auto shown = [&](double value) {
    return in_seconds ? QString::number(value / 1000, 'f', 2) : QString::number(value, 'f', 0);
  };
  return shown(*ms) + (second ? " / " + shown(*second) : "") + (in_seconds ? " s" : " ms");
}

void add_prompt(QTableWidget* table, const Json& prompt) {
  add_row(table, {text(monitor::text_of(prompt, "name")),
                  QString::number(monitor::number_of(prompt, "tokens").value_or(0)),
                  number_or_dash(real(prompt, "tokens_per_second")),
                  number_or_dash(real(prompt, "first_token_ms"), 0),
                  number_or_dash(real(prompt, "latency_ms"), 0)});
}

}  // namespace

BenchmarkWindow::BenchmarkWindow(const Theme& theme, const monitor::Preferences& preferences,
                                 std::filesystem::path history_file)
    : preferences_(preferences), history_file_(std::move(history_file)) {
  setWindowTitle("Benchmark - mlx-dash");
  resize(760, 720);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(kMargin, kMargin, kMargin, kMargin);
  layout->setSpacing(kMargin - 2);
  layout->addLayout(choices());
  layout->addWidget(progress_ = new QProgressBar);
  progress_->setObjectName("progress");
  progress_->setRange(0, preferences.benchmark_prompts);
  progress_->setFormat("%v of %m");
  progress_->hide();
  layout->addWidget(summary_ = make_label("summary", theme.text));
  layout->addLayout(figures(theme));
  prompts_ = make_table(
      {{"Prompt", Kind::kWideText}, {"Tokens"}, {"tok/s"}, {"First token, ms"}, {"Latency, ms"}},
      "prompts");
  earlier_ = make_benchmark_table("earlier");
  layout->addWidget(prompts_, 3);
  auto* title = make_label("", theme.faint);
  title->setText("Earlier runs");
  layout->addWidget(title);
  layout->addWidget(earlier_, 2);
  connect(button_, &QPushButton::clicked, this, [this] { start(); });
  connect(server_, &QComboBox::currentTextChanged, this, [this] { list_models(); });
  connect(earlier_, &QTableWidget::cellClicked, this, [this](int row, int) {
    if (!running_) show_record(records_[static_cast<size_t>(row)]);
  });
  list_models();
  show_earlier();
  if (records_.empty())
    summary_->setText("Ten prompts of varying length, one after another; under a minute.");
  else
    show_record(records_.front());
}

BenchmarkWindow::~BenchmarkWindow() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  if (list_thread_.joinable()) list_thread_.join();
}

QHBoxLayout* BenchmarkWindow::choices() {
  auto* top = new QHBoxLayout;
  server_ = new QComboBox;
  server_->setObjectName("server");
  server_->setEditable(true);
  for (const std::string& url : preferences_.urls()) server_->addItem(text(url));
  model_ = new QComboBox;
  model_->setObjectName("model");
  model_->setEditable(true);
  button_ = new QPushButton("Run");
  button_->setObjectName("run");
  button_->setDefault(true);
  top->addWidget(new QLabel("Server"));
  top->addWidget(server_, 1);
  top->addWidget(new QLabel("Model"));
  top->addWidget(model_, 1);
  top->addWidget(button_);
  return top;
}

QHBoxLayout* BenchmarkWindow::figures(const Theme& theme) {
  auto* row = new QHBoxLayout;
  row->setSpacing(kMargin - 4);
  speed_ = figure(row, theme, "average", "speed");
  latency_ = figure(row, theme, "latency p50 / p95", "latency");
  first_token_ = figure(row, theme, "first token", "first_token");
  memory_ = figure(row, theme, "memory", "memory");
  energy_ = figure(row, theme, "energy", "energy");
  return row;
}

QLabel* BenchmarkWindow::figure(QHBoxLayout* layout, const Theme& theme, const QString& name,
                                const char* object_name) {
  auto* card = new Card(theme);
  auto* inside = new QVBoxLayout(card);
  inside->setContentsMargins(kMargin, kMargin - 4, kMargin, kMargin - 4);
  inside->setSpacing(0);
  QLabel* value = make_label(object_name, theme.text, 1.2, true);
  value->setText(QChar(0x2013));
  QLabel* title = make_label("", theme.faint);
  title->setText(name);
  inside->addWidget(value);
  inside->addWidget(title);
  layout->addWidget(card, 1);
  return value;
}

void BenchmarkWindow::list_models() {
  if (list_thread_.joinable()) list_thread_.join();
  list_thread_ = std::thread([this, url = server_->currentText().toStdString()] {
    std::string trouble;
    QStringList names;
    try {
      for (const auto& model : monitor::installed_models(url, trouble)) names << text(model.name);
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
  for (QLabel* value : {speed_, latency_, first_token_, memory_, energy_})
    value->setText(QChar(0x2013));
  show_step(0, static_cast<size_t>(preferences_.benchmark_prompts), "Warm-up");
  progress_->show();
  const monitor::BenchmarkOptions options{.url = server_->currentText().toStdString(),
                                          .model = model_->currentText().toStdString(),
                                          .prompts = preferences_.benchmark_prompts};
  thread_ = std::thread([this, options] { run(options); });
}

void BenchmarkWindow::run(monitor::BenchmarkOptions options) {
  const auto tell = [this](const monitor::BenchmarkStep& step) {
    if (stop_) fail(ErrorKind::kIo, "stopped");
    const Json last = step.last ? monitor::to_json(*step.last) : Json();
    QMetaObject::invokeMethod(
        this,
        [this, done = step.done, all = step.all, next = text(step.next), last] {
          if (last.is_object()) add_prompt(prompts_, last);
          show_step(done, all, next);
        },
        Qt::QueuedConnection);
  };
  try {
    const auto sensors = platform::open_sensors();
    const auto result = monitor::run_benchmark(options, sensors.get(), tell);
    const auto record = monitor::to_record(result, model_store::now_s());
    monitor::History::open(history_file_).add_benchmark(record);
    QMetaObject::invokeMethod(
        this,
        [this, record] {
          show_end("");
          show_earlier();
          show_record(record);
        },
        Qt::QueuedConnection);
  } catch (const Error& error) {
    QMetaObject::invokeMethod(
        this, [this, words = QString(error.what())] { show_end(words); }, Qt::QueuedConnection);
  }
}

void BenchmarkWindow::show_step(size_t done, size_t all, const QString& next) {
  progress_->setRange(0, static_cast<int>(all));
  progress_->setValue(static_cast<int>(done));
  if (!next.isEmpty()) summary_->setText(next + " ...");
}

void BenchmarkWindow::show_record(const monitor::BenchmarkRecord& record) {
  const Json details = Json::parse(record.details, nullptr, /*allow_exceptions=*/false);
  const bool known = details.is_object();
  const auto detail = [&](const char* key) { return known ? real(details, key) : std::nullopt; };
  summary_->setText(
      QString("%1 at %2, %3%4")
          .arg(text(record.model_name), text(record.server), local_time(record.ran_at_s),
               detail("total_s") ? QString(", in %1 s").arg(*detail("total_s"), 0, 'f', 1) : ""));
  speed_->setText(shown_or_unknown(record.avg_tokens_per_sec, "tok/s", 1));
  latency_->setText(shown_time(record.p50_latency_ms, record.p95_latency_ms));
  first_token_->setText(shown_time(detail("first_token_ms")));
  memory_->setText(shown_or_unknown(record.peak_memory_gb, "GB", 2));
  energy_->setText(shown_or_unknown(detail("joules_per_token"), "J/token", 2));
  prompts_->setRowCount(0);
  if (!known || !details.contains("prompts") || !details["prompts"].is_array()) return;
  for (const Json& prompt : details["prompts"])
    if (prompt.is_object()) add_prompt(prompts_, prompt);
}

void BenchmarkWindow::show_end(const QString& words) {
  running_ = false;
  button_->setText("Run");
  button_->setEnabled(true);
  progress_->hide();
  summary_->setText(words);
}

void BenchmarkWindow::show_earlier() {
  earlier_->setRowCount(0);
  records_.clear();
  if (!std::filesystem::exists(history_file_)) return;
  try {
    records_ = monitor::History::open_to_read(history_file_).benchmarks();
  } catch (const Error& error) {
    summary_->setText(error.what());
  }
  for (const monitor::BenchmarkRecord& one : records_) add_benchmark(earlier_, one);
}

}  // namespace toolkit::dash
