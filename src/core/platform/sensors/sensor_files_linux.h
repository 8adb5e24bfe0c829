#pragma once

#include <filesystem>

#include "core/platform/sensors/sensors.h"

namespace toolkit::platform {

/// What Linux says in /sys and /proc. Every function takes the file system's root, so that tests
/// read recorded trees.

/// A file of /sys/class/drm or hwmon with one whole number; empty if absent or anything else.
std::optional<int64_t> number_in(const std::filesystem::path& file);

/// GPUs of AMD (amdgpu) and Intel (i915, xe) by /sys/class/drm/card*; Intel's use is not told to
/// everybody and stays empty.
std::vector<GpuReading> drm_gpus(const std::filesystem::path& root);

/// Mean over the GPUs' own sensors (hwmon below the card), else empty.
std::optional<double> drm_temperature(const std::filesystem::path& root);

/// The processor: hwmon coretemp, k10temp, zenpower or cpu_thermal (the package where it is
/// labelled, else the highest), else a thermal zone of the processor.
std::optional<double> cpu_temperature(const std::filesystem::path& root);

/// RAPL's energy counters of all packages in microjoules, each with the number it wraps at.
struct EnergyCounter {
  int64_t microjoules = 0, range = 0;
};
std::vector<EnergyCounter> package_energy(const std::filesystem::path& root);

/// /proc/stat's first line: jiffies that the processors worked, and all.
struct ProcessorTime {
  int64_t busy = 0, all = 0;
};
std::optional<ProcessorTime> processor_time(const std::filesystem::path& root);

MemoryReading memory_reading(const std::filesystem::path& root);

}  // namespace toolkit::platform
