#pragma once

#include "core/cli/command.h"

namespace toolkit::tune {

/// `mlx-toolkit tune`.
cli::Command tune_command();

}  // namespace toolkit::tune
