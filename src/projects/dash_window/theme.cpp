#include "projects/dash_window/theme.h"

#include <QApplication>
#include <QStyleFactory>

namespace toolkit::dash {

Theme theme_of(const std::string& appearance, const QPalette& desktop) {
  const bool desktop_is_dark =
      desktop.color(QPalette::Window).lightness() < desktop.color(QPalette::WindowText).lightness();
  const bool is_dark = appearance == "dark" || (appearance == "auto" && desktop_is_dark);
  if (is_dark)
    return {.is_dark = true,
            .text = QColor(0xec, 0xee, 0xf1),
            .faint = QColor(0xa3, 0xaa, 0xb4),
            .card = QColor(0x2b, 0x2f, 0x36),
            .border = QColor(0x3d, 0x43, 0x4c),
            .good = QColor(0x5f, 0xd3, 0x8d),
            .warning = QColor(0xf2, 0xc1, 0x4e),
            .fault = QColor(0xff, 0x7b, 0x72),
            .line = QColor(0x6c, 0xb6, 0xff)};
  return {.is_dark = false,
          .text = QColor(0x1b, 0x1f, 0x24),
          .faint = QColor(0x5b, 0x63, 0x6e),
          .card = QColor(0xff, 0xff, 0xff),
          .border = QColor(0xd8, 0xdc, 0xe1),
          .good = QColor(0x1a, 0x7f, 0x37),
          .warning = QColor(0x8a, 0x5a, 0x00),
          .fault = QColor(0xc0, 0x2b, 0x24),
          .line = QColor(0x09, 0x69, 0xda)};
}

void apply(const Theme& theme) {
  QApplication::setStyle(QStyleFactory::create("Fusion"));
  const QColor window = theme.is_dark ? QColor(0x1e, 0x21, 0x26) : QColor(0xf3, 0xf4, 0xf6);
  const QColor button = theme.is_dark ? QColor(0x35, 0x3a, 0x42) : QColor(0xe9, 0xeb, 0xee);
  QPalette palette(theme.text, button, window.lighter(120), window.darker(150), theme.border,
                   theme.text, theme.card, theme.card, window);
  palette.setColor(QPalette::Window, window);
  palette.setColor(QPalette::Highlight, theme.line);
  palette.setColor(QPalette::HighlightedText, theme.is_dark ? Qt::black : Qt::white);
  palette.setColor(QPalette::AlternateBase, window);
  palette.setColor(QPalette::ToolTipBase, theme.card);
  palette.setColor(QPalette::ToolTipText, theme.text);
  palette.setColor(QPalette::PlaceholderText, theme.faint);
  for (const auto role : {QPalette::Text, QPalette::ButtonText, QPalette::WindowText})
    palette.setColor(QPalette::Disabled, role, theme.faint);
  QApplication::setPalette(palette);
}

}  // namespace toolkit::dash
