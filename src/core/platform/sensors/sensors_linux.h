#pragma once

#include <filesystem>
#include <functional>

#include "core/platform/sensors/nvml_linux.h"
#include "core/platform/sensors/sensor_files_linux.h"

namespace toolkit::platform {

/// Linux' sensors below a root folder, with a clock (seconds) for the rates.
class LinuxSensors : public Sensors {
 public:
  LinuxSensors(std::filesystem::path root, const std::string& nvml_library,
               std::function<double()> clock);
  std::vector<GpuReading> gpus() override;
  TemperatureReading temperatures() override;
  std::optional<double> power_w() override;
  std::optional<double> cpu_use_percent() override;
  MemoryReading memory() override;

 private:
  std::filesystem::path root_;
  Nvml nvml_;
  std::function<double()> clock_;
  std::vector<EnergyCounter> energy_;
  double energy_time_ = 0;
  std::optional<ProcessorTime> processor_;
};

}  // namespace toolkit::platform
