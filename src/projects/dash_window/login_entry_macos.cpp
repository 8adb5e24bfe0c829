// Not run on a Mac yet.

#include "core/base/paths.h"
#include "projects/dash_window/launch_at_login.h"

namespace toolkit::dash {

std::filesystem::path login_entry() {
  return expanded_path("~/Library/LaunchAgents/mlx-dash.plist");
}

std::string login_entry_text(const std::string& program) {
  std::string escaped;
  for (const char letter : program) {
    if (letter == '&')
      escaped += "&amp;";
    else if (letter == '<')
      escaped += "&lt;";
    else
      escaped += letter;
  }
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
         "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
         "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n"
         "<plist version=\"1.0\"><dict><key>Label</key><string>mlx-dash</string>"
         "<key>RunAtLoad</key><true/><key>ProgramArguments</key><array><string>" +
         escaped +
         "</string><string>window</string><string>--hidden</string></array></dict></plist>\n";
}

}  // namespace toolkit::dash
