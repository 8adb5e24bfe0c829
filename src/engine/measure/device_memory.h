#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <variant>

namespace toolkit::engine {

/// What MLX tells of a device (mx::device_info).
using DeviceInfo = std::unordered_map<std::string, std::variant<std::string, size_t>>;

/// Bytes that arrays on this GPU may take while the machine has `free_bytes` (0: not known). A GPU
/// with memory of its own (CUDA) tells what is free there, and the machine's does not count; one
/// that shares the machine's (Metal) has a working set it recommends, and the less of both counts.
int64_t available_on(const DeviceInfo& info, int64_t free_bytes);

/// Bytes that arrays on the device in use may take now; 0: not known.
int64_t available_bytes();

}  // namespace toolkit::engine
