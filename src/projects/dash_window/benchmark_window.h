#pragma once

#include <QComboBox>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QTableWidget>
#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "core/monitor/benchmark/benchmark.h"
#include "core/monitor/preferences.h"
#include "projects/dash_window/theme.h"

class QHBoxLayout;

namespace toolkit::dash {

/// Runs the standard prompts against a server's model in a thread of its own and shows each as it
/// is done; below, earlier runs, of which a click shows the prompts again.
class BenchmarkWindow : public QWidget {
 public:
  BenchmarkWindow(const Theme& theme, const monitor::Preferences& preferences,
                  std::filesystem::path history_file);
  ~BenchmarkWindow() override;  // a run that is under way ends after its prompt
  bool is_running() const { return running_; }

 private:
  QHBoxLayout* choices();
  QHBoxLayout* figures(const Theme& theme);
  QLabel* figure(QHBoxLayout* layout, const Theme& theme, const QString& name,
                 const char* object_name);
  void list_models();
  void start();
  void run(monitor::BenchmarkOptions options);
  void show_step(size_t done, size_t all, const QString& next);
  void show_record(const monitor::BenchmarkRecord& record);
  void show_end(const QString& words);
  void show_earlier();

  monitor::Preferences preferences_;
  std::filesystem::path history_file_;
  QComboBox *server_, *model_;
  QPushButton* button_;
  QProgressBar* progress_;
  QLabel *summary_, *speed_, *latency_, *first_token_, *memory_, *energy_;
  QTableWidget *prompts_, *earlier_;
  std::vector<monitor::BenchmarkRecord> records_;  // as listed in earlier_
  std::thread thread_, list_thread_;
  std::atomic<bool> running_ = false, stop_ = false;
};

}  // namespace toolkit::dash
