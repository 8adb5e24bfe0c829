#pragma once

#include <memory>
#include <string>

#include "core/platform/sensors/sensors.h"

namespace toolkit::platform {

/// NVIDIA's GPUs by the driver's library (NVML), which is opened at run time and stays open.
/// Without a driver every answer is empty.
class Nvml {
 public:
  /// `library`: its file name; a test gives one of its own.
  explicit Nvml(const std::string& library = "libnvidia-ml.so.1");
  ~Nvml();
  std::vector<GpuReading> gpus() const;
  std::optional<double> temperature_c() const;  // mean over the GPUs

 private:
  struct Library;
  std::unique_ptr<Library> library_;
};

}  // namespace toolkit::platform
