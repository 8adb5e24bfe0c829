#include <QApplication>
#include <QMenu>
#include <QSystemTrayIcon>

#include "projects/dash_window/icons.h"
#include "projects/dash_window/theme.h"
#include "projects/dash_window/tray_item.h"

namespace toolkit::dash {

namespace {

constexpr int kNotificationMilliseconds = 10'000;

/// Qt's tray item: a gauge with its needle by the speed.
class QtTrayItem : public TrayItem {
 public:
  QtTrayItem(const Actions& actions, const QColor& color)
      : color_(color), icon_(tray_icon({}, color)) {
    menu_.addAction("Show", [call = actions.toggle] { call(); });
    menu_.addAction("Benchmark", [call = actions.benchmark] { call(); });
    menu_.addAction("History", [call = actions.history] { call(); });
    menu_.addAction("Preferences", [call = actions.preferences] { call(); });
    menu_.addSeparator();
    menu_.addAction("Quit", [call = actions.quit] { call(); });
    icon_.setContextMenu(&menu_);
    QObject::connect(&icon_, &QSystemTrayIcon::activated,
                     [call = actions.toggle](QSystemTrayIcon::ActivationReason reason) {
                       if (reason == QSystemTrayIcon::Trigger) call();
                     });
    icon_.show();
  }

  void show(const monitor::Snapshot& snapshot) override {
    const TrayText text = tray_text(snapshot);
    if (text == shown_) return;
    shown_ = text;
    icon_.setIcon(tray_icon(snapshot, color_));
    icon_.setToolTip(QString::fromStdString(text.tool_tip));
  }

  std::optional<Place> place() const override {
    const QRect place = icon_.geometry();
    if (place.isEmpty()) return std::nullopt;
    return Place{place.x(), place.y(), place.width(), place.height()};
  }

  void notify(const std::string& words, bool is_warning) override {
    icon_.showMessage("mlx-dash", QString::fromStdString(words),
                      is_warning ? QSystemTrayIcon::Warning : QSystemTrayIcon::Information,
                      kNotificationMilliseconds);
  }

 private:
  const QColor color_;
  QMenu menu_;
  QSystemTrayIcon icon_;
  TrayText shown_;
};

}  // namespace

std::unique_ptr<TrayItem> make_tray_item(const TrayItem::Actions& actions, const Theme& theme) {
  if (!QSystemTrayIcon::isSystemTrayAvailable()) return nullptr;
  return std::make_unique<QtTrayItem>(actions, theme.text);
}

}  // namespace toolkit::dash
