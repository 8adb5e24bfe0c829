#include "apps/mlx_dash/commands.h"
#include "projects/dash_window/command.h"

std::vector<toolkit::cli::Command> window_commands() {
  return {toolkit::dash::window_command()};
}
