#pragma once

#include <filesystem>
#include <functional>
#include <string>

namespace toolkit::dash {

/// Where the desktop looks for programs to start with a session: an XDG autostart entry
/// (`$XDG_CONFIG_HOME/autostart/mlx-dash.desktop`) on Linux, a launch agent of the user on macOS.
std::filesystem::path login_entry();

/// Puts this program into the system's own list of login items or takes it out (SMAppService, for a
/// program in a bundle on macOS 13 and newer); false: there is none, or it refused.
bool set_login_item(bool wanted);

/// Through the system's list where that takes it, else by writing or removing the entry, so that
/// nothing is started twice. Throws Error(kIo).
void set_launch_at_login(bool wanted, const std::string& program,
                         const std::function<bool(bool wanted)>& system_list = set_login_item);

/// The entry's text for a program's path, quoted as the desktop's specification wants it.
std::string login_entry_text(const std::string& program);

}  // namespace toolkit::dash
