#pragma once

#include <QIcon>

#include "core/monitor/snapshot.h"

namespace toolkit::dash {

/// The tray's icon, drawn in `color`: a gauge with its needle by the speed, a pause sign when idle,
/// crossed out when no server answers. On macOS the system colours it for light and dark bars.
QIcon tray_icon(const monitor::Snapshot& snapshot, const QColor& color);

/// The program's icon: the gauge on a coloured ground.
QIcon program_icon();

/// Where the needle of a gauge stands for a speed: 0..1, logarithmic from 1 to 200 tokens a second.
double needle(double tokens_per_second);

}  // namespace toolkit::dash
