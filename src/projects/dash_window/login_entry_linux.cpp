#include <cstdlib>

#include "core/base/paths.h"
#include "projects/dash_window/launch_at_login.h"

namespace toolkit::dash {

std::filesystem::path login_entry() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  const std::filesystem::path base =
      config && *config == '/' ? std::filesystem::path(config) : expanded_path("~/.config");
  return base / "autostart" / "mlx-dash.desktop";
}

bool set_login_item(bool) {
  return false;
}

/// Desktop Entry Specification, "The Exec key": quoted, with \ before " ` $ \, and % doubled; all
/// of it once more escaped as a string.
std::string login_entry_text(const std::string& program) {
  std::string quoted;
  for (const char letter : program) {
    if (letter == '"' || letter == '`' || letter == '$') quoted += "\\\\";
    if (letter == '\\') quoted += "\\\\\\";
    if (letter == '%') quoted += '%';
    if (letter == '\n') continue;
    quoted += letter;
  }
  return "[Desktop Entry]\nType=Application\nName=mlx-dash\nComment=Monitor of local models\n"
         "Exec=\"" +
         quoted + "\" window --hidden\nIcon=mlx-dash\nTerminal=false\n";
}

}  // namespace toolkit::dash
