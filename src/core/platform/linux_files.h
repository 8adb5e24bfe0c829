#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace toolkit::platform {

/// What Linux says about the machine in /proc and /sys. Every function takes the file system's
/// root, so that tests can put a machine together from a few files.

/// "Debian GNU/Linux 12 (bookworm)" from /etc/os-release; "Linux" without it.
std::string linux_os(const std::filesystem::path& root);

/// Model name of the first processor; "" if unknown (ARM kernels often name none).
std::string linux_cpu(const std::filesystem::path& root);

/// Instruction sets that matter to kernels, by common names, in a fixed order.
std::vector<std::string> linux_instruction_sets(const std::filesystem::path& root);

/// Processors the control group may use (quota / period, rounded up), v2 or v1, innermost to
/// outermost; nothing: no limit.
std::optional<int> cgroup_cores(const std::filesystem::path& root);

/// Bytes of memory the control group may use, and those it could still get; nothing: no limit.
std::optional<int64_t> cgroup_memory_limit(const std::filesystem::path& root);
std::optional<int64_t> cgroup_memory_available(const std::filesystem::path& root);

/// Without its end; "" if the file is empty or not there.
std::string first_line(const std::filesystem::path& file);

/// A line of /proc/meminfo or /proc/self/status, "MemTotal", in bytes; 0 if absent.
int64_t kilobyte_line(const std::filesystem::path& file, const std::string& name);

}  // namespace toolkit::platform
