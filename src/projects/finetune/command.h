#pragma once

#include "core/cli/command.h"

namespace toolkit::finetune {

/// `mlx-toolkit finetune`.
cli::Command finetune_command();

}  // namespace toolkit::finetune
