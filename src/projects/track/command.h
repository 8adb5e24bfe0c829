#pragma once

#include "core/cli/command.h"

namespace toolkit::track {

/// `mlx-toolkit runs list|show|compare|export|tag|delete|rebuild`.
cli::Command runs_command();

}  // namespace toolkit::track
