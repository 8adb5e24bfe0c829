#include "projects/dash_window/dash_application.h"

#include <QApplication>
#include <QDir>
#include <QMetaObject>
#include <QScreen>
#include <QTimer>
#include <chrono>

#include "core/base/error.h"
#include "core/base/log.h"
#include "projects/dash_window/icons.h"

namespace toolkit::dash {

namespace {

constexpr int kCacheMilliseconds = 30 * 60 * 1000;

}  // namespace

DashApplication::DashApplication(const monitor::Preferences& preferences, bool hidden,
                                 const MakeTray& make_tray)
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
  show_tray(make_tray, hidden);
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

void DashApplication::show_tray(const MakeTray& make_tray, bool hidden) {
  tray_ = make_tray({.toggle = [this] { toggle_panel(); },
                     .benchmark = [this] { open_benchmark(); },
                     .history = [this] { open_history(); },
                     .preferences = [this] { open_preferences(); },
                     .quit = [] { QApplication::quit(); }},
                    theme_);
  if (!tray_) {
    // The window is all there is: it stays, and closing it ends the program.
    QApplication::setQuitOnLastWindowClosed(true);
    panel_->setWindowFlag(Qt::WindowStaysOnTopHint);
  }
  if (!tray_ || !hidden) panel_->show();
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
  if (tray_) tray_->show(snapshot);
  std::set<std::string> present;
  for (const monitor::Message& message : snapshot.messages) {
    present.insert(message.key);
    // A hint stands in the panel for who looks; it interrupts nobody.
    if (message.severity != monitor::Severity::kHint && !notified_.contains(message.key))
      notify(message);
  }
  // What has gone and comes back is worth a word again; the cache's savings are told once.
  if (notified_.contains("savings")) present.insert("savings");
  notified_ = std::move(present);
}

void DashApplication::notify(const monitor::Message& message) {
  log_warning("{} {}", message.text, message.action);
  if (!tray_ || !preferences_.notifications) return;
  tray_->notify(message.text + " " + message.action, message.severity != monitor::Severity::kHint);
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
  if (!panel_->isVisible()) return;
  if (const auto place = tray_ ? tray_->place() : std::nullopt) {
    const QRect item(place->x, place->y, place->width, place->height);
    const QScreen* screen = QApplication::screenAt(item.center());
    if (screen) panel_->move(beside_item(item, panel_->frameSize(), screen->availableGeometry()));
  }
  panel_->raise();
  panel_->activateWindow();
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
    return std::make_unique<BenchmarkWindow>(theme_, preferences_,
                                             monitor::History::default_file());
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
    return std::make_unique<PreferencesWindow>(theme_, [this] {
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
    const auto begin = std::chrono::steady_clock::now();
    history_->refresh();
    history_->grab();
    const std::chrono::duration<double, std::milli> passed =
        std::chrono::steady_clock::now() - begin;
    history_ms_ = passed.count();
    history_->export_to(place.filePath("history.json"));
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
