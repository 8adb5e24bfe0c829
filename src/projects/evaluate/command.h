#pragma once

#include "core/cli/command.h"

namespace toolkit::evaluate {

/// `mlx-toolkit evaluate`.
cli::Command make_command();

}  // namespace toolkit::evaluate
