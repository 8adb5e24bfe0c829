#pragma once

#include "core/cli/command.h"

namespace toolkit::compare {

/// `mlx-toolkit compare`
cli::Command compare_command();

}  // namespace toolkit::compare
