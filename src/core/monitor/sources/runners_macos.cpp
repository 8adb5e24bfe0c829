// Not run on a Mac yet; cross-compiled by scripts/cross_macos.

#include <libproc.h>
#include <mach/mach_time.h>
#include <sys/sysctl.h>
#include <unistd.h>

#include <cstring>

#include "core/monitor/sources/runners.h"

namespace toolkit::monitor {

namespace {

std::vector<int> own_processes() {
  int name[] = {CTL_KERN, KERN_PROC, KERN_PROC_UID, static_cast<int>(::getuid())};
  size_t size = 0;
  if (::sysctl(name, 4, nullptr, &size, nullptr, 0) != 0) return {};
  std::vector<kinfo_proc> processes(size / sizeof(kinfo_proc) + 16);
  size = processes.size() * sizeof(kinfo_proc);
  if (::sysctl(name, 4, processes.data(), &size, nullptr, 0) != 0) return {};
  processes.resize(size / sizeof(kinfo_proc));
  std::vector<int> ids;
  for (const kinfo_proc& process : processes) ids.push_back(process.kp_proc.p_pid);
  return ids;
}

/// KERN_PROCARGS2: argc, the program's path, zeros, then the words.
std::vector<std::string> command_line(int pid) {
  int name[] = {CTL_KERN, KERN_PROCARGS2, pid};
  std::string text(1 << 16, '\0');
  size_t size = text.size();
  int count = 0;
  if (::sysctl(name, 3, text.data(), &size, nullptr, 0) != 0 || size < sizeof count) return {};
  text.resize(size);
  std::memcpy(&count, text.data(), sizeof count);
  size_t at = text.find('\0', sizeof count);
  at = at == text.npos ? at : text.find_first_not_of('\0', at);
  std::vector<std::string> words;
  for (int word = 0; word < count && at < text.size(); ++word) {
    const size_t end = std::min(text.find('\0', at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

}  // namespace

double processor_seconds(const std::filesystem::path&, int pid) {
  rusage_info_v2 usage{};
  mach_timebase_info_data_t unit{};
  if (::proc_pid_rusage(pid, RUSAGE_INFO_V2, reinterpret_cast<rusage_info_t*>(&usage)) != 0 ||
      ::mach_timebase_info(&unit) != KERN_SUCCESS || unit.denom == 0)
    return -1;
  const auto ticks = static_cast<double>(usage.ri_user_time + usage.ri_system_time);
  return ticks * unit.numer / unit.denom / 1e9;
}

std::vector<Runner> find_runners(const std::filesystem::path&) {
  std::vector<Runner> found;
  for (const int pid : own_processes()) {
    Runner runner = runner_of(command_line(pid));
    if (runner.port == 0) continue;
    runner.pid = pid;
    found.push_back(std::move(runner));
  }
  return found;
}

}  // namespace toolkit::monitor
