#pragma once

#include <string>

#include "core/monitor/preferences.h"
#include "core/monitor/snapshot.h"

namespace toolkit::dash {

/// A snapshot for the terminal: speed, models, machine, servers, messages. Unknown is said, never
/// shown as 0.
std::string to_page(const monitor::Snapshot& snapshot, const monitor::Preferences& preferences,
                    bool color);

/// One line of it, for a log: time, speed with its quality, model, memory.
std::string to_line(const monitor::Snapshot& snapshot);

/// "300 MB, 33 % on the GPU, context 4096, unloads in 4 min".
std::string shown_model(const monitor::LoadedModel& model, int64_t now_s);

}  // namespace toolkit::dash
