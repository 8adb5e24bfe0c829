#include "projects/dash_window/dash_application.h"

#include <QApplication>
#include <QDir>
#include <QMenu>
#include <QMetaObject>
#include <QTimer>

#include "core/base/error.h"
#include "core/base/log.h"
#include "projects/dash_window/icons.h"

namespace toolkit::dash {

namespace {

constexpr int kCacheMilliseconds = 30 * 60 * 1000;
constexpr int kNotificationMilliseconds = 10'000;

}  // namespace

DashApplication::DashApplication(const monitor::Preferences& preferences, bool hidden)
    : preferences_(preferences), theme_(theme_of(preferences.appearance, QApplication::palette())) {
  apply(theme_);
  QApplication::setQuitOnLastWindowClosed(false);
  QApplication::setWindowIcon(program_icon());
  panel_ = std::make_unique<Panel>(theme_, preferences_,
                                   Panel::Actions{.benchmark = [this] { open_benchmark(); },
                                                  .history = [this] { open_history(); },
                                                  .preferences = [this] { open_preferences(); },
                                                  .quit = [] { QApplication::quit(); }});
  recorder_ = std::make_unique<monitor::Recorder>(monitor::History::default_file(),
                                                  preferences_.history_days);
  make_tray(hidden);
  start_poller();
  look_at_cache();
  auto* timer = new QTimer(this);
  connect(timer, &QTimer::timeout, this, [this] { look_at_cache(); });
  timer->start(kCacheMilliseconds);
}

DashApplication::~DashApplication() {
  poller_.reset();
  if (cache_thread_.joinable()) cache_thread_.join();
}

void DashApplication::make_tray(bool hidden) {
  if (!QSystemTrayIcon::isSystemTrayAvailable()) {
    // The window is all there is: it stays, and closing it ends the program.
    QApplication::setQuitOnLastWindowClosed(true);
    panel_->setWindowFlag(Qt::WindowStaysOnTopHint);
    panel_->show();
    return;
  }
  menu_ = std::make_unique<QMenu>();
  menu_->addAction("Show", panel_.get(), [this] { toggle_panel(); });
  menu_->addAction("Benchmark", this, [this] { open_benchmark(); });
  menu_->addAction("History", this, [this] { open_history(); });
  menu_->addAction("Preferences", this, [this] { open_preferences(); });
  menu_->addSeparator();
  menu_->addAction("Quit", qApp, &QApplication::quit);
  tray_ = std::make_unique<QSystemTrayIcon>(tray_icon({}, theme_.text));
  tray_->setContextMenu(menu_.get());
  connect(tray_.get(), &QSystemTrayIcon::activated, this,
          [this](QSystemTrayIcon::ActivationReason reason) {
            if (reason == QSystemTrayIcon::Trigger) toggle_panel();
          });
  tray_->show();
  if (!hidden) panel_->show();
}

void DashApplication::start_poller() {
  poller_ = std::make_unique<monitor::Poller>(
      preferences_, monitor::parts_of(preferences_), [this](const monitor::Snapshot& snapshot) {
        try {
          if (recorder_) recorder_->take(snapshot);
        } catch (const Error& error) {
          log_error("history: {}", error.what());
          recorder_.reset();  // a full disk does not end the watching
        }
        QMetaObject::invokeMethod(
            this, [this, snapshot] { show_snapshot(snapshot); }, Qt::QueuedConnection);
      });
}

void DashApplication::show_snapshot(const monitor::Snapshot& snapshot) {
  panel_->show_snapshot(snapshot);
  const std::string state = monitor::short_speed(snapshot);
  if (tray_ && state != tray_state_) {
    tray_->setIcon(tray_icon(snapshot, theme_.text));
    const auto models = snapshot.models();
    tray_->setToolTip(
        QString::fromStdString(models.empty() ? state : state + "  " + models[0].name));
  }
  tray_state_ = state;
  std::set<std::string> present;
  for (const monitor::Message& message : snapshot.messages) {
    present.insert(message.key);
    if (!notified_.contains(message.key)) notify(message);
  }
  // What has gone and comes back is worth a word again; the cache's savings are told once.
  if (notified_.contains("savings")) present.insert("savings");
  notified_ = std::move(present);
}

void DashApplication::notify(const monitor::Message& message) {
  log_warning("{} {}", message.text, message.action);
  if (!tray_ || !preferences_.notifications) return;
  const auto icon = message.severity == monitor::Severity::kHint ? QSystemTrayIcon::Information
                                                                 : QSystemTrayIcon::Warning;
  tray_->showMessage("mlx-dash", QString::fromStdString(message.text + " " + message.action), icon,
                     kNotificationMilliseconds);
}

void DashApplication::look_at_cache() {
  if (cache_thread_.joinable()) cache_thread_.join();
  cache_thread_ = std::thread([this] {
    const monitor::CacheSummary cache = monitor::read_cache_summary();
    QMetaObject::invokeMethod(
        this,
        [this, cache] {
          panel_->show_cache(cache);
          const double saved_gb = static_cast<double>(cache.saved_bytes.value_or(0)) / 1e9;
          if (preferences_.savings_alert_gb <= 0 || saved_gb < preferences_.savings_alert_gb ||
              !notified_.insert("savings").second)
            return;
          notify({"savings", monitor::Severity::kHint,
                  fmt::format("mlx-cache saves {:.1f} GB on this disk.", saved_gb),
                  "`mlx-cache stats` shows where."});
        },
        Qt::QueuedConnection);
  });
}

void DashApplication::toggle_panel() {
  panel_->setVisible(!panel_->isVisible());
  if (panel_->isVisible()) panel_->raise();
}

template <class Window, class Make>
void DashApplication::open(std::unique_ptr<Window>& window, const Make& make) {
  if (!window) window = make();
  window->show();
  window->raise();
  window->activateWindow();
}

void DashApplication::open_benchmark() {
  open(benchmark_, [this] {
    return std::make_unique<BenchmarkWindow>(preferences_, monitor::History::default_file());
  });
}

void DashApplication::open_history() {
  open(history_, [this] {
    return std::make_unique<HistoryWindow>(theme_, monitor::History::default_file());
  });
  history_->refresh();
}

void DashApplication::open_preferences() {
  preferences_window_.reset();  // it shows what stands in the file now
  open(preferences_window_, [this] {
    return std::make_unique<PreferencesWindow>([this] {
      preferences_ = monitor::load_preferences();
      poller_.reset();
      start_poller();
    });
  });
}

void DashApplication::picture_all(const std::string& folder, double seconds) {
  const QDir place(QString::fromStdString(folder));
  panel_->show();
  open_benchmark();
  open_history();
  open_preferences();
  QTimer::singleShot(static_cast<int>(seconds * 1000), this, [this, place] {
    history_->refresh();
    for (const auto& [name, window] : {std::pair<const char*, QWidget*>{"panel", panel_.get()},
                                       {"benchmark", benchmark_.get()},
                                       {"history", history_.get()},
                                       {"preferences", preferences_window_.get()}})
      if (!window->grab().save(place.filePath(QString("%1.png").arg(name))))
        log_error("{}: cannot be written", place.filePath(name).toStdString());
    QApplication::quit();
  });
}

}  // namespace toolkit::dash
