#include "engine/measure/device_memory.h"

#include <algorithm>
#include <initializer_list>

#include "core/platform/hardware.h"
#include "mlx/device.h"

namespace toolkit::engine {

namespace {

/// The first of these that is there and a number above 0; 0 if none is.
int64_t first_size(const DeviceInfo& info, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const auto found = info.find(name);
    if (found == info.end()) continue;
    if (const auto* size = std::get_if<size_t>(&found->second); size && *size > 0)
      return static_cast<int64_t>(*size);
  }
  return 0;
}

}  // namespace

int64_t available_on(const DeviceInfo& info, int64_t free_bytes) {
  if (const int64_t own = first_size(info, {"free_memory"}); own > 0) return own;
  const int64_t shared =
      first_size(info, {"max_recommended_working_set_size", "total_memory", "memory_size"});
  if (shared == 0 || free_bytes <= 0) return std::max(shared, free_bytes);
  return std::min(shared, free_bytes);
}

int64_t available_bytes() {
  namespace mx = mlx::core;
  const int64_t free_bytes = platform::available_memory_bytes();
  if (mx::default_device() == mx::Device::cpu) return free_bytes;
  return available_on(mx::device_info(mx::default_device()), free_bytes);
}

}  // namespace toolkit::engine
