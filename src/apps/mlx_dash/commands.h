#pragma once

#include <vector>

#include "core/cli/command.h"

/// Every command of mlx-dash, in the order of the help page.
std::vector<toolkit::cli::Command> all_commands();

/// The commands that need Qt: none in a build without it.
std::vector<toolkit::cli::Command> window_commands();
