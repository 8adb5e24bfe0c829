#pragma once

#include "core/cli/command.h"

namespace toolkit::inspect {

/// `mlx-toolkit doctor`: the machine, the engine, what is missing.
cli::Command doctor_command();

/// `mlx-toolkit models list|info|resolve`.
cli::Command models_command();

}  // namespace toolkit::inspect
