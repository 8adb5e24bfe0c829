// Not run on a Mac yet; cross-compiled by scripts/cross_macos.

#include <mach-o/dyld.h>
#include <sys/proc.h>
#include <sys/sysctl.h>
#include <unistd.h>

#include "core/platform/process.h"

namespace toolkit::platform {

std::string own_program() {
  char path[4096] = {};
  uint32_t size = sizeof path;
  return ::_NSGetExecutablePath(path, &size) == 0 ? path : "mlx-toolkit";
}

std::string process_start(int pid) {
  int name[] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, pid};
  kinfo_proc process{};
  size_t size = sizeof process;
  if (::sysctl(name, 4, &process, &size, nullptr, 0) != 0 || size == 0) return "";
  if (process.kp_proc.p_stat == SZOMB) return "";
  const timeval& start = process.kp_proc.p_starttime;
  return std::to_string(start.tv_sec) + "." + std::to_string(start.tv_usec);
}

std::set<std::pair<uint64_t, uint64_t>> open_files() {
  return {};
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

}  // namespace toolkit::platform
