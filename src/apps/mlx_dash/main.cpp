#include "apps/mlx_dash/commands.h"

int main(int argc, char** argv) {
  // A click on the program's icon names no command and means the windows.
  char window[] = "window";
  char* clicked[] = {argv[0], window, nullptr};
  if (argc == 1 && !window_commands().empty()) argc = 2, argv = clicked;
  return toolkit::cli::run_program({.name = "mlx-dash",
                                    .summary = "What local models do on this machine: tokens per "
                                               "second, memory, GPU, temperature; now and before.",
                                    .version = TOOLKIT_VERSION,
                                    .commands = all_commands()},
                                   argc, argv);
}
