// Not run on a Mac yet; cross-compiled by scripts/cross_macos.

#include <mach/mach.h>
#include <malloc/malloc.h>
#include <sys/resource.h>
#include <sys/sysctl.h>

#include <string>
#include <utility>

#include "core/platform/hardware.h"

namespace toolkit::platform {

namespace {

int64_t integer(const char* name) {
  int64_t value = 0;
  size_t size = sizeof value;
  return ::sysctlbyname(name, &value, &size, nullptr, 0) == 0 ? value : 0;
}

std::string text(const char* name) {
  char value[256] = {};
  size_t size = sizeof value - 1;
  return ::sysctlbyname(name, value, &size, nullptr, 0) == 0 ? value : "";
}

int64_t basic_info(bool peak) {
  mach_task_basic_info info{};
  mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;
  if (::task_info(mach_task_self(), MACH_TASK_BASIC_INFO, reinterpret_cast<task_info_t>(&info),
                  &count) != KERN_SUCCESS)
    return 0;
  return static_cast<int64_t>(peak ? info.resident_size_max : info.resident_size);
}

}  // namespace

Hardware detect_hardware() {
  Hardware hardware;
  hardware.os = "macOS " + text("kern.osproductversion");
  hardware.cpu = text("machdep.cpu.brand_string");
  hardware.cores = static_cast<int>(integer("hw.activecpu"));
  hardware.memory_bytes = integer("hw.memsize");
  if (integer("hw.optional.arm64") != 0) {
    hardware.instruction_sets.push_back("neon");
    for (const auto& [name, key] : {std::pair{"fp16", "hw.optional.arm.FEAT_FP16"},
                                    std::pair{"dotprod", "hw.optional.arm.FEAT_DotProd"},
                                    std::pair{"i8mm", "hw.optional.arm.FEAT_I8MM"},
                                    std::pair{"bf16", "hw.optional.arm.FEAT_BF16"}})
      if (integer(key) != 0) hardware.instruction_sets.push_back(name);
    hardware.gpu = hardware.cpu + " GPU";
    hardware.gpu_memory_bytes = hardware.memory_bytes;
    hardware.unified_memory = true;
    hardware.neural_engine = true;
  }
  return hardware;
}

int64_t resident_bytes() {
  return basic_info(false);
}

int64_t peak_resident_bytes() {
  return basic_info(true);
}

int64_t allocated_bytes() {
  malloc_statistics_t heap{};
  ::malloc_zone_statistics(nullptr, &heap);  // of all zones
  return static_cast<int64_t>(heap.size_in_use);
}

int64_t available_memory_bytes() {
  vm_statistics64 statistics{};
  mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
  if (::host_statistics64(mach_host_self(), HOST_VM_INFO64,
                          reinterpret_cast<host_info64_t>(&statistics), &count) != KERN_SUCCESS)
    return 0;
  const int64_t pages = static_cast<int64_t>(statistics.free_count) + statistics.inactive_count +
                        statistics.purgeable_count;
  return pages * static_cast<int64_t>(vm_kernel_page_size);
}

}  // namespace toolkit::platform
