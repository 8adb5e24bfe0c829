#pragma once

#include "core/cli/command.h"

namespace toolkit::evaluate {

/// `mlx-toolkit evaluate`.
cli::Command evaluate_command();

}  // namespace toolkit::evaluate
