#include "apps/mlx_toolkit/commands.h"

// To add a command: write `cli::Command x_command()` in projects/<project>/command.h, add one line here
// and the project's library to DEPENDS in CMakeLists.txt. Each command owns its settings: keep them
// in a shared_ptr that `run` holds, since Fields point into them.

std::vector<toolkit::cli::Command> all_commands() { return {}; }
