#pragma once

#include "core/cli/command.h"

namespace toolkit::launch {

/// `mlx-toolkit launch`.
cli::Command launch_command();

}  // namespace toolkit::launch
