#include "apps/mlx_cache/commands.h"

#include <utility>

#include "projects/cache/command.h"
#include "projects/cache/command_options.h"

// To add a command: write `cli::Command x_command()` in projects/cache, add one line here.

std::vector<toolkit::cli::Command> all_commands() {
  namespace cache = toolkit::cache;
  std::vector<toolkit::cli::Command> commands = {
      cache::status_command(), cache::add_command(),    cache::remove_command(),
      cache::link_command(),   cache::unlink_command(), cache::clean_command(),
      cache::stats_command(),  cache::config_command(), cache::sync_command(),
      cache::adopt_command(),  cache::verify_command(), cache::repair_command(),
      cache::du_command(),     cache::path_command(),   cache::export_command(),
      cache::import_command(),
  };
  for (toolkit::cli::Command& command : commands)
    command = cache::with_options_everywhere(std::move(command));
  return commands;
}
