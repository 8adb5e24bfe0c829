#include "core/platform/linux_files.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

namespace toolkit::platform {

namespace fs = std::filesystem;

std::string first_line(const fs::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

namespace {

/// "max", or a number; nothing for "max", for an absent file and for cgroup v1's "no limit" (near
/// 2^63).
std::optional<int64_t> limit_in(const fs::path& file) {
  std::istringstream text(first_line(file));
  int64_t value = 0;
  if (!(text >> value) || value <= 0 || value > (int64_t{1} << 60)) return std::nullopt;
  return value;
}

/// The part after "name: " or "name\t: " of the first such line.
std::string field_of(const fs::path& file, const std::string& name) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos || !line.starts_with(name)) continue;
    const size_t end = line.find_last_not_of(" \t", colon - 1);
    if (end == std::string::npos || line.substr(0, end + 1) != name) continue;
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

struct Group {
  bool v2 = true;
  std::vector<fs::path> folders;  // this process's group and its parents, inside out
};

/// /proc/self/cgroup has "0::/path" (v2) or "N:memory:/path" (v1). In a container the path may name
/// a folder of the host that is not mounted: then the mount's root holds the limits.
Group group_of(const fs::path& root, const std::string& controller) {
  std::ifstream stream(root / "proc/self/cgroup");
  Group group;
  fs::path path = "/", base = root / "sys/fs/cgroup";
  for (std::string line; std::getline(stream, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool named = controllers.find("," + controller + ",") != std::string::npos;
    if (!named && controllers != ",,") continue;
    path = line.substr(second + 1);
    group.v2 = !named;
    if (named) {
      base /= controller == "cpu" && !fs::exists(base / "cpu") ? "cpu,cpuacct" : controller;
      break;
    }
  }
  for (fs::path at = path.lexically_relative("/"); !at.empty() && at != "." && *at.begin() != "..";
       at = at.parent_path())
    group.folders.push_back(base / at);
  group.folders.push_back(base);
  return group;
}

std::optional<double> cores_in(const fs::path& folder, bool v2) {
  if (!v2) {
    const auto quota = limit_in(folder / "cpu.cfs_quota_us"),
               period = limit_in(folder / "cpu.cfs_period_us");
    if (!quota || !period) return std::nullopt;
    return static_cast<double>(*quota) / static_cast<double>(*period);
  }
  std::istringstream text(first_line(folder / "cpu.max"));
  double quota = 0, period = 0;
  if (!(text >> quota >> period) || period <= 0) return std::nullopt;  // "max 100000"
  return quota / period;
}

int64_t inactive_file_bytes(const fs::path& folder, bool v2) {
  std::ifstream stream(folder / "memory.stat");
  const std::string wanted = v2 ? "inactive_file" : "total_inactive_file";
  std::string name;
  int64_t value = 0;
  while (stream >> name >> value)
    if (name == wanted) return value;
  return 0;
}

}  // namespace

std::string linux_os(const fs::path& root) {
  std::ifstream stream(root / "etc/os-release");
  for (std::string line; std::getline(stream, line);) {
    if (!line.starts_with("PRETTY_NAME=")) continue;
    std::string name = line.substr(12);
    std::erase(name, '"');
    return name;
  }
  return "Linux";
}

std::string linux_cpu(const fs::path& root) {
  return field_of(root / "proc/cpuinfo", "model name");
}

std::vector<std::string> linux_instruction_sets(const fs::path& root) {
  const fs::path file = root / "proc/cpuinfo";
  std::istringstream words(field_of(file, "flags") + " " + field_of(file, "Features"));
  std::set<std::string> present;
  for (std::string word; words >> word;) present.insert(word);
  static const std::pair<const char*, const char*> kNames[] = {{"sse4_2", "sse4.2"},
                                                               {"avx", "avx"},
                                                               {"avx2", "avx2"},
                                                               {"fma", "fma"},
                                                               {"f16c", "f16c"},
                                                               {"avx_vnni", "avx_vnni"},
                                                               {"avx512f", "avx512f"},
                                                               {"avx512bw", "avx512bw"},
                                                               {"avx512_vnni", "avx512_vnni"},
                                                               {"avx512_bf16", "avx512_bf16"},
                                                               {"avx512_fp16", "avx512_fp16"},
                                                               {"amx_tile", "amx_tile"},
                                                               {"amx_int8", "amx_int8"},
                                                               {"amx_bf16", "amx_bf16"},
                                                               {"asimd", "neon"},
                                                               {"asimdhp", "fp16"},
                                                               {"asimddp", "dotprod"},
                                                               {"i8mm", "i8mm"},
                                                               {"bf16", "bf16"},
                                                               {"sve", "sve"},
                                                               {"sve2", "sve2"}};
  std::vector<std::string> sets;
  for (const auto& [flag, name] : kNames)
    if (present.contains(flag)) sets.push_back(name);
  return sets;
}

std::optional<int> cgroup_cores(const fs::path& root) {
  const Group group = group_of(root, "cpu");
  std::optional<double> lowest;
  for (const fs::path& folder : group.folders)
    if (const auto cores = cores_in(folder, group.v2))
      lowest = std::min(lowest.value_or(*cores), *cores);
  if (!lowest) return std::nullopt;
  return std::max(1, static_cast<int>(*lowest + 0.999));
}

std::optional<int64_t> cgroup_memory_limit(const fs::path& root) {
  const Group group = group_of(root, "memory");
  std::optional<int64_t> lowest;
  for (const fs::path& folder : group.folders)
    if (const auto limit = limit_in(folder / (group.v2 ? "memory.max" : "memory.limit_in_bytes")))
      lowest = std::min(lowest.value_or(*limit), *limit);
  return lowest;
}

std::optional<int64_t> cgroup_memory_available(const fs::path& root) {
  const Group group = group_of(root, "memory");
  std::optional<int64_t> lowest;
  for (const fs::path& folder : group.folders) {
    const auto limit = limit_in(folder / (group.v2 ? "memory.max" : "memory.limit_in_bytes"));
    const auto used = limit_in(folder / (group.v2 ? "memory.current" : "memory.usage_in_bytes"));
    if (!limit || !used) continue;
    // The page cache of files not in use is given back before anything fails.
    const int64_t left =
        std::max<int64_t>(0, *limit - *used + inactive_file_bytes(folder, group.v2));
    lowest = std::min(lowest.value_or(left), left);
  }
  return lowest;
}

int64_t kilobyte_line(const fs::path& file, const std::string& name) {
  std::istringstream text(field_of(file, name));
  int64_t kilobytes = 0;
  return text >> kilobytes ? kilobytes * 1024 : 0;
}

}  // namespace toolkit::platform
