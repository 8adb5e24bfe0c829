#include "core/platform/sensors/sensors_linux.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace toolkit::platform {

LinuxSensors::LinuxSensors(std::filesystem::path root, const std::string& nvml_library,
                           std::function<double()> clock)
    : root_(std::move(root)), nvml_(nvml_library), clock_(std::move(clock)) {}

std::vector<GpuReading> LinuxSensors::gpus() {
  std::vector<GpuReading> all = nvml_.gpus();
  for (GpuReading& gpu : drm_gpus(root_)) all.push_back(std::move(gpu));
  return all;
}

TemperatureReading LinuxSensors::temperatures() {
  TemperatureReading reading{.gpu_c = nvml_.temperature_c(), .cpu_c = cpu_temperature(root_)};
  if (!reading.gpu_c) reading.gpu_c = drm_temperature(root_);
  return reading;
}

std::optional<double> LinuxSensors::power_w() {
  const std::vector<EnergyCounter> before = std::exchange(energy_, package_energy(root_));
  const double then = std::exchange(energy_time_, clock_()), seconds = energy_time_ - then;
  if (energy_.empty() || before.size() != energy_.size() || seconds <= 0) return std::nullopt;
  double joules = 0;
  for (size_t at = 0; at < energy_.size(); ++at) {
    int64_t spent = energy_[at].microjoules - before[at].microjoules;
    if (spent < 0) spent += energy_[at].range;  // the counter began anew
    if (spent < 0) return std::nullopt;
    joules += static_cast<double>(spent) / 1e6;
  }
  return joules / seconds;
}

std::optional<double> LinuxSensors::cpu_use_percent() {
  const auto before = std::exchange(processor_, processor_time(root_));
  if (!before || !processor_ || processor_->all <= before->all) return std::nullopt;
  const double share = static_cast<double>(processor_->busy - before->busy) /
                       static_cast<double>(processor_->all - before->all);
  return std::clamp(100 * share, 0.0, 100.0);
}

MemoryReading LinuxSensors::memory() {
  return memory_reading(root_);
}

std::unique_ptr<Sensors> open_sensors() {
  return std::make_unique<LinuxSensors>("/", "libnvidia-ml.so.1", [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  });
}

}  // namespace toolkit::platform
