#include "projects/tune/trial_run.h"

#include <cmath>
#include <system_error>

#include "core/base/atomic_file.h"
#include "engine/trials/child_run.h"

namespace toolkit::tune {

Result run_trial(const TrialRun& trial, const Json& finetune_fields, bool& interrupted) {
  std::error_code error;
  std::filesystem::remove_all(trial.folder, error);
  std::filesystem::create_directories(trial.folder, error);
  const std::filesystem::path settings = trial.folder / "trial.yaml";
  write_file_atomically(settings, trials::to_yaml(trial.settings, finetune_fields));
  const trials::ChildResult child =
      trials::run_child({.program = trial.program,
                         .arguments = {"finetune", "--config", settings.string()},
                         .folder = trial.folder,
                         .parent = trial.parent});
  interrupted = child.interrupted;
  Result result{.run = trials::run_id(trial.folder), .seconds = child.seconds};
  result.error = child.error.empty() ? trials::loss_fault(child.output) : child.error;
  if (!child.error.empty()) return result;
  result.loss = trials::number_in(child.output, "validation_loss_after");
  result.loss_before = trials::number_in(child.output, "validation_loss_before");
  const double peak = trials::number_in(child.output, "peak_rss_bytes");
  result.peak_bytes = std::isfinite(peak) ? peak : 0;
  return result;
}

}  // namespace toolkit::tune
