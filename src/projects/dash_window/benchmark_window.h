#pragma once

#include <QComboBox>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QTableWidget>
#include <atomic>
#include <filesystem>
#include <thread>

#include "core/monitor/benchmark/benchmark.h"
#include "core/monitor/preferences.h"

namespace toolkit::dash {

/// Runs the standard prompts against a server's model in a thread of its own, shows each as it is
/// done and the results of earlier runs below.
class BenchmarkWindow : public QWidget {
 public:
  BenchmarkWindow(const monitor::Preferences& preferences, std::filesystem::path history_file);
  ~BenchmarkWindow() override;  // a run that is under way ends after its prompt
  bool is_running() const { return running_; }

 private:
  void list_models();
  void start();
  void run(monitor::BenchmarkOptions options);
  void show_result(const monitor::BenchmarkResult& result);
  void show_end(const QString& words);
  void show_earlier();

  monitor::Preferences preferences_;
  std::filesystem::path history_file_;
  QComboBox *server_, *model_;
  QPushButton* button_;
  QProgressBar* progress_;
  QLabel* summary_;
  QTableWidget *prompts_, *earlier_;
  std::thread thread_, list_thread_;
  std::atomic<bool> running_ = false, stop_ = false;
};

/// A table that people read and cannot change; columns as wide as what is in them.
QTableWidget* make_table(const QStringList& header, const char* object_name);
void add_row(QTableWidget* table, const QStringList& cells);

}  // namespace toolkit::dash
