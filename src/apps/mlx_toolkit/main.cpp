#include "apps/mlx_toolkit/commands.h"
#include "core/base/subprocess.h"
#include "core/report/run_log.h"
#include "core/tensor/backend.h"
#include "projects/track/tracking_log.h"

int main(int argc, char** argv) {
  toolkit::end_with_parent();
  toolkit::tensor::initialize();
  toolkit::report::listen_to_runs(toolkit::track::track_run);
  return toolkit::cli::run_program(
      {.name = "mlx-toolkit",
       .summary = "Fine-tune, run and measure language models on your own machine, on Apple's MLX.",
       .version = TOOLKIT_VERSION,
       .commands = all_commands()},
      argc, argv);
}
