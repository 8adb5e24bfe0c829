#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "core/tensor/array_fwd.h"
#include "mlx/array.h"

namespace toolkit::engine {

/// Everything a run needs to go on where it stopped. Batches follow from seed and step alone, so no
/// random state is kept.
struct TrainingState {
  int64_t step = 0;             // steps done, skipped ones included
  int64_t optimizer_steps = 0;  // steps that changed the parameters
  int64_t tokens = 0, supervised_tokens = 0;
  double validation_loss_before = 0;
  double best_loss = 0;
  std::map<std::string, double> validation_metrics_before, best_metrics;  // see Objective
  int64_t best_step = -1;                                                 // -1: not validated yet
  double patience_loss = 0;       // the last validation loss that counted as an improvement
  int64_t stale_validations = 0;  // since then
  std::string fingerprint;        // of the settings that decide what the steps are
  std::map<std::string, mx::array> parameters;  // by path, "….lora_a"
  std::map<std::string, mx::array> optimizer;   // optim::Optimizer::state()
};

/// One file, written atomically: a kill at any moment leaves the old state or the new.
void save_training_state(const std::filesystem::path& file, const TrainingState& state);

/// Nothing if there is no such file. Throws Error(kUserInput) for a file that is not a training
/// state.
std::optional<TrainingState> load_training_state(const std::filesystem::path& file);

}  // namespace toolkit::engine
