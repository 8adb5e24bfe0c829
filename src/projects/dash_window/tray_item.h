#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/monitor/snapshot.h"

namespace toolkit::dash {

struct Theme;

/// The item in the tray (Linux, an icon) or the menu bar (macOS, a text).
class TrayItem {
 public:
  struct Actions {
    std::function<void()> toggle, benchmark, history, preferences, quit;
  };
  virtual ~TrayItem() = default;
  virtual void show(const monitor::Snapshot& snapshot) = 0;
  /// Where it is, in pixels of the desktop from its upper left; empty where that is not told.
  struct Place {
    int x = 0, y = 0, width = 0, height = 0;
  };
  virtual std::optional<Place> place() const = 0;
  /// A notification of the desktop.
  virtual void notify(const std::string& words, bool is_warning) = 0;
};

/// Empty where the desktop has no place for one.
std::unique_ptr<TrayItem> make_tray_item(const TrayItem::Actions& actions, const Theme& theme);

/// What a menu bar shows: a text, or where there is nothing to say in words one of Apple's symbols.
struct TrayText {
  std::string title, symbol, tool_tip;
  bool operator==(const TrayText&) const = default;
};
TrayText tray_text(const monitor::Snapshot& snapshot);

}  // namespace toolkit::dash
