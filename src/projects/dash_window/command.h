#pragma once

#include "core/cli/command.h"

namespace toolkit::dash {

/// The tray item and its windows; what `mlx-dash` does when no command is named.
cli::Command window_command();

}  // namespace toolkit::dash
