#pragma once

#include <string>

namespace toolkit::platform {

/// This program's file, to run it again as a child; "mlx-toolkit" (to be found in PATH) where the
/// system does not tell.
std::string own_program();

/// When a process began, as the system words it, and "" if there is none: a process id alone may
/// have gone to another process. Equal texts for one id mean the same process of the same boot.
std::string process_start(int pid);

/// The machine's name in the network.
std::string host_name();

}  // namespace toolkit::platform
