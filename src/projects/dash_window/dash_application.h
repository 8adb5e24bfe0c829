#pragma once

#include <QObject>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "core/monitor/history/recorder.h"
#include "core/monitor/poller.h"
#include "projects/dash_window/benchmark_window.h"
#include "projects/dash_window/history_window.h"
#include "projects/dash_window/panel.h"
#include "projects/dash_window/preferences_window.h"
#include "projects/dash_window/tray_item.h"

namespace toolkit::dash {

/// The tray item with everything behind it: the panel that a click opens (always there where no
/// tray is), the windows, the poller and the recorder. Lives as long as the application.
class DashApplication : public QObject {
 public:
  using MakeTray = std::function<std::unique_ptr<TrayItem>(const TrayItem::Actions&, const Theme&)>;
  DashApplication(const monitor::Preferences& preferences, bool hidden,
                  const MakeTray& make_tray = make_tray_item);
  ~DashApplication() override;

  /// Shows every window, lets `seconds` pass and writes pictures of them and an export of the
  /// history into a folder; then ends.
  void picture_all(const std::string& folder, double seconds);
  /// How long it took then to read and draw a week of history.
  std::optional<double> history_ms() const { return history_ms_; }

  Panel& panel() { return *panel_; }
  bool has_tray() const { return tray_ != nullptr; }

 private:
  void show_tray(const MakeTray& make_tray, bool hidden);
  void start_poller();
  void show_snapshot(const monitor::Snapshot& snapshot);
  void notify(const monitor::Message& message);
  void look_at_cache();
  void toggle_panel();
  template <class Window, class Make>
  void open(std::unique_ptr<Window>& window, const Make& make);
  void open_benchmark();
  void open_history();
  void open_preferences();

  monitor::Preferences preferences_;
  Theme theme_;
  std::unique_ptr<Panel> panel_;
  std::unique_ptr<TrayItem> tray_;
  std::unique_ptr<BenchmarkWindow> benchmark_;
  std::unique_ptr<HistoryWindow> history_;
  std::unique_ptr<PreferencesWindow> preferences_window_;
  std::unique_ptr<monitor::Recorder> recorder_;
  std::set<std::string> notified_;
  std::optional<double> history_ms_;
  std::thread cache_thread_;
  std::unique_ptr<monitor::Poller> poller_;  // last: ends before what its snapshots go to
};

}  // namespace toolkit::dash
