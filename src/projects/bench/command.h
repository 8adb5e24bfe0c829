#pragma once

#include "core/cli/command.h"

namespace toolkit::bench {

/// `mlx-toolkit bench finetune|generate [--peers]`.
cli::Command bench_command();

}  // namespace toolkit::bench
