#include "core/monitor/benchmark/energy_meter.h"

#include <chrono>

namespace toolkit::monitor {

namespace {

std::optional<double> power_of(platform::Sensors& sensors) {
  std::optional<double> sum;
  for (const platform::GpuReading& gpu : sensors.gpus())
    if (gpu.power_w) sum = sum.value_or(0) + *gpu.power_w;
  return sum ? sum : sensors.power_w();
}

}  // namespace

EnergyMeter::EnergyMeter(platform::Sensors* sensors) : sensors_(sensors) {
  if (sensors_) thread_ = std::thread([this] { measure(); });
}

EnergyMeter::~EnergyMeter() {
  joules();
}

void EnergyMeter::measure() {
  using Clock = std::chrono::steady_clock;
  power_of(*sensors_);  // the first look of a rate says nothing
  auto before = Clock::now();
  for (bool last = false; !last;) {
    {
      std::unique_lock lock(mutex_);
      last = changed_.wait_for(lock, std::chrono::milliseconds(250), [this] { return ends_; });
    }
    const auto now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - before).count();
    before = now;
    if (const auto watts = power_of(*sensors_)) joules_ = joules_.value_or(0) + *watts * seconds;
  }
}

std::optional<double> EnergyMeter::joules() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  return joules_;
}

}  // namespace toolkit::monitor
