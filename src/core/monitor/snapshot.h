#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/monitor/sources/server_state.h"
#include "core/platform/sensors/sensors.h"

namespace toolkit::monitor {

enum class Severity { kHint, kWarning, kFault };

/// Something a person should know, and what to do about it.
struct Message {
  std::string key;  // equal for the same trouble: it is notified once
  Severity severity = Severity::kHint;
  std::string text, action;
};

/// What the machine's sensors said last.
struct MachineReading {
  std::vector<platform::GpuReading> gpus;
  platform::TemperatureReading temperatures;
  platform::MemoryReading memory;
  std::optional<double> power_w, cpu_use_percent;

  std::optional<double> gpu_use_percent() const;  // the highest of the GPUs'
  std::optional<double> temperature_c() const;    // the GPU's, else the processor's
  std::optional<double> total_power_w() const;    // the GPUs', else the processor's or system's
};

/// Everything at one moment.
struct Snapshot {
  int64_t time_s = 0;  // seconds since 1970
  double clock_s = 0;  // of a clock that never goes back
  std::vector<ServerState> servers;
  std::vector<RunningRequest> running;    // each once
  std::vector<FinishedRequest> finished;  // since the snapshot before
  Speed speed;
  std::optional<FinishedRequest> last;  // the last one whose speed is known
  MachineReading machine;
  std::vector<Message> messages;

  /// Loaded models of all servers, each name once; a running one first.
  std::vector<LoadedModel> models() const;
  bool is_active() const { return !running.empty(); }
};

/// What `mlx-dash status --json` prints; unknown is null. Keys are only ever added.
Json to_json(const Snapshot& snapshot);

/// What a menu bar has room for: "41.3 tok/s", "~40 tok/s" (estimated), "... tok/s" (unknown),
/// "idle", "off" when no server answers.
std::string short_speed(const Snapshot& snapshot);

}  // namespace toolkit::monitor
