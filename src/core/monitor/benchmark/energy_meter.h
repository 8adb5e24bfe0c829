#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "core/platform/sensors/sensors.h"

namespace toolkit::monitor {

/// Power over time while it lives: four looks a second in a thread of its own.
class EnergyMeter {
 public:
  explicit EnergyMeter(platform::Sensors* sensors);
  ~EnergyMeter();
  EnergyMeter(const EnergyMeter&) = delete;
  EnergyMeter& operator=(const EnergyMeter&) = delete;
  /// Ends it. Empty when no sensor tells the power.
  std::optional<double> joules();

 private:
  void measure();
  platform::Sensors* sensors_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ends_ = false;
  std::optional<double> joules_;
  std::thread thread_;
};

}  // namespace toolkit::monitor
