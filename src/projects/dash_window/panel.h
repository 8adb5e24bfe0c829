#pragma once

#include <QLabel>
#include <QVBoxLayout>
#include <functional>

#include "core/monitor/cache_summary.h"
#include "core/monitor/preferences.h"
#include "core/monitor/snapshot.h"
#include "projects/dash_window/card.h"
#include "projects/dash_window/sparkline.h"
#include "projects/dash_window/theme.h"

namespace toolkit::dash {

/// What a click on the tray item opens, and the small window where there is no tray: speed with its
/// quality, model, machine, cache, messages, buttons.
class Panel : public QWidget {
 public:
  struct Actions {
    std::function<void()> benchmark, history, preferences, quit;
  };
  Panel(const Theme& theme, const monitor::Preferences& preferences, const Actions& actions);
  void show_snapshot(const monitor::Snapshot& snapshot);
  void show_cache(const monitor::CacheSummary& cache);
  const Sparkline& sparkline() const { return *sparkline_; }

 private:
  QWidget* model_card();
  QWidget* machine_card();
  void add_buttons(QVBoxLayout* layout, const Actions& actions);
  QLabel* row(QVBoxLayout* layout, const QString& name, const char* object_name);
  void set_value(QLabel* label, const QString& words);
  void show_model(const monitor::Snapshot& snapshot);
  void show_machine(const monitor::MachineReading& machine);
  void show_messages(const std::vector<monitor::Message>& messages);

  Theme theme_;
  monitor::Preferences preferences_;
  QLabel *speed_, *quality_, *model_, *model_details_, *gpu_, *temperature_, *power_, *memory_,
      *cache_, *messages_;
  Meter* memory_meter_;
  Card* message_card_;
  Sparkline* sparkline_;
};

/// Where a window of that size opens for an item of a tray or menu bar: below it, above it where
/// the bar is at the lower edge, always on the screen.
QPoint beside_item(const QRect& item, const QSize& window, const QRect& screen);

}  // namespace toolkit::dash
