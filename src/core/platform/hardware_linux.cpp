#include <malloc.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "core/platform/hardware.h"
#include "core/platform/linux_files.h"
#include "core/platform/nvidia_linux.h"

// There with the address and the thread sanitizer, whose heap mallinfo2 knows nothing of.
extern "C" __attribute__((weak)) size_t __sanitizer_get_current_allocated_bytes();

namespace toolkit::platform {

namespace {

const std::filesystem::path kRoot = "/";

/// Processors in the affinity mask; works for more than CPU_SETSIZE (1024) of them.
int affinity_cores() {
  for (int size = 1024; size <= 1 << 16; size *= 2) {
    cpu_set_t* set = CPU_ALLOC(static_cast<size_t>(size));
    const size_t bytes = CPU_ALLOC_SIZE(static_cast<size_t>(size));
    const bool known = ::sched_getaffinity(0, bytes, set) == 0;
    const int count = known ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (known) return count;
  }
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

std::string machine_name() {
  utsname name{};
  return ::uname(&name) == 0 ? std::string(name.machine) + " processor" : "unknown processor";
}

}  // namespace

Hardware detect_hardware() {
  Hardware hardware;
  hardware.os = linux_os(kRoot);
  hardware.cpu = linux_cpu(kRoot);
  if (hardware.cpu.empty()) hardware.cpu = machine_name();
  hardware.cores = affinity_cores();
  if (const auto limit = cgroup_cores(kRoot)) hardware.cores = std::min(hardware.cores, *limit);
  hardware.instruction_sets = linux_instruction_sets(kRoot);
  hardware.memory_bytes = kilobyte_line(kRoot / "proc/meminfo", "MemTotal");
  if (const auto limit = cgroup_memory_limit(kRoot))
    hardware.memory_bytes = std::min(hardware.memory_bytes, *limit);
  if (const auto gpu = first_nvidia_gpu()) {
    hardware.gpu = gpu->name;
    hardware.gpu_memory_bytes = gpu->memory_bytes;
  }
  return hardware;
}

int64_t resident_bytes() {
  std::ifstream stream("/proc/self/statm");
  int64_t all = 0, resident = 0;
  return stream >> all >> resident ? resident * ::sysconf(_SC_PAGESIZE) : 0;
}

int64_t peak_resident_bytes() {
  return std::max(kilobyte_line("/proc/self/status", "VmHWM"), resident_bytes());
}

int64_t allocated_bytes() {
  if (__sanitizer_get_current_allocated_bytes != nullptr)
    return static_cast<int64_t>(__sanitizer_get_current_allocated_bytes());
  const struct mallinfo2 heap = ::mallinfo2();
  return static_cast<int64_t>(heap.uordblks + heap.hblkhd);
}

int64_t available_memory_bytes() {
  const int64_t machine = kilobyte_line(kRoot / "proc/meminfo", "MemAvailable");
  const auto group = cgroup_memory_available(kRoot);
  return group ? std::min(machine, *group) : machine;
}

}  // namespace toolkit::platform
