#include "projects/dash_window/tray_item.h"

namespace toolkit::dash {

TrayText tray_text(const monitor::Snapshot& snapshot) {
  const std::string state = monitor::short_speed(snapshot);
  const auto models = snapshot.models();
  TrayText text{.tool_tip = models.empty() ? state : state + "  " + models[0].name};
  if (snapshot.is_active())
    text.title = state;
  else
    text.symbol = state == "off" ? "xmark.circle" : "pause.circle";
  return text;
}

}  // namespace toolkit::dash
