#pragma once

#include "core/cli/command.h"

namespace toolkit::data_check {

/// `mlx-toolkit data check` and `data stats`.
cli::Command data_command();

}  // namespace toolkit::data_check
