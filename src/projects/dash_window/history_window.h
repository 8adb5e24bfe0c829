#pragma once

#include <QChartView>
#include <QComboBox>
#include <QLabel>
#include <QTableWidget>
#include <filesystem>

#include "core/monitor/history/history.h"
#include "projects/dash_window/theme.h"

namespace toolkit::dash {

/// Charts of speed and memory over a day, a week or a month, tables of models, sessions and
/// benchmarks, export.
class HistoryWindow : public QWidget {
 public:
  HistoryWindow(const Theme& theme, std::filesystem::path file);
  /// Reads the history again.
  void refresh();
  /// Writes everything as JSON, or the sessions as CSV, by the file's ending, and says how it went.
  bool export_to(const QString& file);

 private:
  void show_charts(const monitor::History& history);
  void show_tables(const monitor::History& history, int64_t from_s, int64_t to_s);
  int days_shown() const;

  Theme theme_;
  std::filesystem::path file_;
  QComboBox *span_, *model_;
  QChartView *speed_, *memory_;
  QTableWidget *models_, *sessions_, *benchmarks_;
  QLabel* note_;
};

}  // namespace toolkit::dash
