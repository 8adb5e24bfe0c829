#pragma once

#include <vector>

#include "projects/launch/ranks.h"

namespace toolkit::launch {

/// Starts all ranks and waits for their end. Rank 0 has this process's output; what the others
/// write comes line by line on stderr with their number in front. SIGINT and SIGTERM are forwarded.
/// When one fails, the others are asked to end and after five seconds killed. Returns 0, or the
/// exit code of the first that failed (128 + signal). Throws Error(kIo | kNotFound) if one cannot
/// be started.
int supervise(const std::vector<Rank>& ranks);

}  // namespace toolkit::launch
