#pragma once

#include <vector>

#include "core/cli/command.h"

/// Every command of mlx-dash, in the order of the help page.
std::vector<toolkit::cli::Command> all_commands();
