#include "apps/mlx_dash/commands.h"

#include "projects/dash/command.h"

// To add a command: write `cli::Command x_command()` in projects/dash, add one line here.

std::vector<toolkit::cli::Command> all_commands() {
  namespace dash = toolkit::dash;
  std::vector<toolkit::cli::Command> commands = window_commands();
  for (const auto& make :
       {dash::status_command, dash::watch_command, dash::history_command, dash::export_command,
        dash::benchmark_command, dash::proxy_command, dash::config_command})
    commands.push_back(make());
  return commands;
}
