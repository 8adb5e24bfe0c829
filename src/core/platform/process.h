#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>

namespace toolkit::platform {

/// This program's file, to run it again as a child; "mlx-toolkit" (to be found in PATH) where the
/// system does not tell.
std::string own_program();

/// When a process began, as the system words it, and "" if there is none: a process id alone may
/// have gone to another process. Equal texts for one id mean the same process of the same boot.
std::string process_start(int pid);

/// Device and inode of every file that a process of this machine has open or mapped, as far as this
/// user may see: those of other users' processes are missing. Linux only; empty on a Mac.
std::set<std::pair<uint64_t, uint64_t>> open_files();

/// The machine's name in the network.
std::string host_name();

}  // namespace toolkit::platform
