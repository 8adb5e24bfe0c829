#include "apps/mlx_dash/commands.h"

int main(int argc, char** argv) {
  return toolkit::cli::run_program({.name = "mlx-dash",
                                    .summary = "What local models do on this machine: tokens per "
                                               "second, memory, GPU, temperature; now and before.",
                                    .version = TOOLKIT_VERSION,
                                    .commands = all_commands()},
                                   argc, argv);
}
