#include "core/cli/command.h"
#include "projects/diagnose/command.h"

int main(int argc, char** argv) {
  return toolkit::cli::run_program(
      {.name = "mlx-diag",
       .summary = "What is wrong on this machine, and a bundle for bug reports.",
       .version = TOOLKIT_VERSION,
       .commands = {toolkit::diagnose::check_command(),
                    toolkit::diagnose::export_command(TOOLKIT_VERSION)}},
      argc, argv);
}
