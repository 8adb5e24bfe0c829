#pragma once

#include <string>
#include <vector>

#include "core/monitor/preferences.h"
#include "core/monitor/snapshot.h"

namespace toolkit::monitor {

/// What is to be said about a snapshot: servers that do not answer, memory that runs out.
/// `installed`: models the servers could load, for the advice of a smaller one; may be empty.
std::vector<Message> messages_about(const Snapshot& snapshot, const Preferences& preferences,
                                    const std::vector<LoadedModel>& installed,
                                    bool ollama_is_installed);

/// Whether memory is about to run out: less is free than the share of the preferences, or processes
/// wait for memory a fifth of the time.
bool memory_runs_out(const platform::MemoryReading& memory, const Preferences& preferences);

/// The largest of `installed` that takes at most half as much as `model`; empty if there is none.
std::string smaller_model(const LoadedModel& model, const std::vector<LoadedModel>& installed);

/// A request to a server failed because it lacks the model: what to type to get it.
std::string how_to_get_model(const std::string& model, ServerKind kind);

/// A program in PATH.
bool is_in_path(const std::string& program);

/// How long to wait before the next look at a server that failed `failures` times: 1, 2, 4 ... 30
/// s.
int retry_seconds(int failures);

}  // namespace toolkit::monitor
