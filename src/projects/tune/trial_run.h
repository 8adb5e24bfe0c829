#pragma once

#include <filesystem>
#include <string>

#include "engine/trials/finetune_settings.h"
#include "projects/tune/trials.h"

namespace toolkit::tune {

using trials::Settings;

struct TrialRun {
  std::string program;           // that has the command finetune
  std::filesystem::path folder;  // emptied first: the run's own, with trial.yaml and finetune.log
  Settings settings;             // of finetune, complete
  std::string parent;            // id of the tuning run
};

/// Runs `finetune` in a process of its own and waits for it. A run that fails, diverges or is
/// killed gives a result that says why. On Ctrl-C the child is asked to end; then `interrupted` is
/// true and the result is not one.
Result run_trial(const TrialRun& trial, const Json& finetune_fields, bool& interrupted);

}  // namespace toolkit::tune
