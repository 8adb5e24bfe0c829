#pragma once

#include <QColor>
#include <QPalette>
#include <string>

namespace toolkit::dash {

/// Colours of the windows beside the palette's.
struct Theme {
  bool is_dark = false;
  QColor text, faint, card, border, good, warning, fault, line;
};

/// "light" or "dark"; "auto": as the palette that the desktop gave.
Theme theme_of(const std::string& appearance, const QPalette& desktop);
/// The whole application in these colours.
void apply(const Theme& theme);

}  // namespace toolkit::dash
