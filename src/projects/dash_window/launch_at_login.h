#pragma once

#include <filesystem>
#include <string>

namespace toolkit::dash {

/// Where the desktop looks for programs to start with a session: an XDG autostart entry
/// (`$XDG_CONFIG_HOME/autostart/mlx-dash.desktop`) on Linux, a launch agent of the user on macOS.
std::filesystem::path login_entry();

/// Writes or removes it. Throws Error(kIo).
void set_launch_at_login(bool wanted, const std::string& program);

/// The entry's text for a program's path, quoted as the desktop's specification wants it.
std::string login_entry_text(const std::string& program);

}  // namespace toolkit::dash
