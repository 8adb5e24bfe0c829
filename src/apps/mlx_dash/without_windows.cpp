#include "apps/mlx_dash/commands.h"

std::vector<toolkit::cli::Command> window_commands() {
  return {};
}
