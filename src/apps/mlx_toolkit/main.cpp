#include "apps/mlx_toolkit/commands.h"
#include "core/tensor/backend.h"

int main(int argc, char** argv) {
  toolkit::tensor::initialize();
  return toolkit::cli::run_program(
      {.name = "mlx-toolkit",
       .summary = "Fine-tune, run and measure language models on your own machine, on Apple's MLX.",
       .version = TOOLKIT_VERSION,
       .commands = all_commands()},
      argc, argv);
}
