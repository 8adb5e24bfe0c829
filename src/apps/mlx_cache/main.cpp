#include "apps/mlx_cache/commands.h"

int main(int argc, char** argv) {
  return toolkit::cli::run_program({.name = "mlx-cache",
                                    .summary = "One store for every model on this machine: Hugging "
                                               "Face, Ollama, LM Studio and your apps.",
                                    .version = TOOLKIT_VERSION,
                                    .commands = all_commands()},
                                   argc, argv);
}
