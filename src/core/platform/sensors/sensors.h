#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace toolkit::platform {

/// One GPU now. What the machine does not tell is empty, never 0.
struct GpuReading {
  std::string name;  // "NVIDIA H200", "AMD GPU", "Apple M3 Pro GPU"
  std::optional<double> use_percent, power_w;
  std::optional<int64_t> memory_used_bytes, memory_total_bytes;
};

struct TemperatureReading {
  std::optional<double> gpu_c, cpu_c;  // degrees Celsius
};

struct MemoryReading {
  int64_t total_bytes = 0, available_bytes = 0;  // control group's limit counted; 0: unknown
  std::optional<int64_t> swap_used_bytes;
  /// Share of the last ten seconds in which some process waited for memory (Linux, PSI).
  std::optional<double> stall_percent;
};

/// The sensors of this machine, read without special rights. One object, asked again and again:
/// rates are those since the call before, and empty at the first. Not for two threads at once.
class Sensors {
 public:
  virtual ~Sensors() = default;
  virtual std::vector<GpuReading> gpus() = 0;
  virtual TemperatureReading temperatures() = 0;
  /// Of the processor's package (Linux, RAPL) or the whole system (macOS), in watts.
  virtual std::optional<double> power_w() = 0;
  virtual std::optional<double> cpu_use_percent() = 0;
  virtual MemoryReading memory() = 0;
};

std::unique_ptr<Sensors> open_sensors();

/// A temperature that a sensor may really have: above 0 and up to 150 degrees. Broken and sleeping
/// sensors say 0, negative numbers or hundreds.
bool is_plausible_temperature(double celsius);

/// Mean of the plausible ones; empty if there is none.
std::optional<double> mean_temperature(const std::vector<double>& celsius);

}  // namespace toolkit::platform
