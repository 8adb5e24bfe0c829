#pragma once

#include <QLabel>
#include <QWidget>
#include <functional>
#include <string>
#include <vector>

#include "core/monitor/preferences.h"
#include "projects/dash_window/theme.h"

namespace toolkit::dash {

/// A form made from `monitor::describe()`: one row a preference, with its range and help. Saving
/// writes those that were changed.
class PreferencesWindow : public QWidget {
 public:
  PreferencesWindow(const Theme& theme, std::function<void()> saved);
  /// Empty when all was written, else what was wrong.
  QString save();

 private:
  QWidget* form(const Theme& theme);
  QWidget* editor(const Field& field);
  std::vector<std::string> values_of(const Field& field) const;

  std::function<void()> saved_;
  monitor::Preferences preferences_;
  QLabel* note_;
};

}  // namespace toolkit::dash
