#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace toolkit::platform {

struct NvidiaGpu {
  std::string name;  // "NVIDIA H200"
  int64_t memory_bytes = 0;
};

/// The first NVIDIA GPU, asked through the driver's library (NVML), which is opened at run time;
/// nothing without a driver or a GPU.
std::optional<NvidiaGpu> first_nvidia_gpu();

}  // namespace toolkit::platform
