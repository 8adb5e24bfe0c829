#pragma once

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "engine/evaluate/evaluate.h"
#include "engine/evaluate/scores.h"

namespace toolkit::compare {

/// What was measured of one task of evaluate.
struct TaskScore {
  std::string task, metric;
  engine::Score score;
};

/// One method, or the model as it was ("base"). Figures that were not measured are NaN.
struct Entry {
  enum class State { kMeasured, kFailed, kTooSlow, kSkipped };

  std::string method, run;
  State state = State::kMeasured;
  std::string reason;  // why there is no measurement
  double seconds = NAN, tokens_per_second = NAN, peak_bytes = NAN, planned_bytes = NAN;
  double trainable_parameters = NAN, adapter_bytes = NAN, tokens = NAN;
  engine::Estimate loss;  // of the validation rows; NaN without them
  std::vector<TaskScore> tasks;

  // Row by row, for paired differences: of the same rows in every entry.
  std::vector<engine::RowLoss> rows;
  std::vector<double> task_correct;  // of the first task, by its first metric

  bool measured() const { return state == State::kMeasured; }
};

const char* state_name(Entry::State state);  // "measured", "failed", "too_slow", "skipped"

/// From `measured.json` as method_run writes it and the rows' file beside it. Throws
/// Error(kUserInput | kNotFound) if they are not that.
Entry read_entry(const std::filesystem::path& folder);

}  // namespace toolkit::compare
