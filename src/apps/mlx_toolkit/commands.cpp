#include "apps/mlx_toolkit/commands.h"

#include "projects/bench/command.h"
#include "projects/compare/command.h"
#include "projects/data/command.h"
#include "projects/evaluate/command.h"
#include "projects/export/command.h"
#include "projects/finetune/command.h"
#include "projects/generate/command.h"
#include "projects/inspect/command.h"
#include "projects/launch/command.h"
#include "projects/serve/command.h"
#include "projects/track/command.h"
#include "projects/tune/command.h"

// To add a command: write `cli::Command x_command()` in projects/<project>/command.h, add one line
// here and the project's library to DEPENDS in CMakeLists.txt. Each command owns its settings: keep
// them in a shared_ptr that `run` holds, since Fields point into them.

std::vector<toolkit::cli::Command> all_commands() {
  namespace tk = toolkit;
  return {
      tk::finetune::finetune_command(), tk::launch::launch_command(),
      tk::tune::tune_command(),         tk::compare::compare_command(),
      tk::generate::generate_command(), tk::generate::chat_command(),
      tk::serve::serve_command(),       tk::evaluate::evaluate_command(),
      tk::export_model::fuse_command(), tk::export_model::export_command(),
      tk::track::runs_command(),        tk::data_check::data_command(),
      tk::inspect::models_command(),    tk::inspect::doctor_command(),
      tk::bench::bench_command(),
  };
}
