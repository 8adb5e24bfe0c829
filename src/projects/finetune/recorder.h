#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/progress.h"
#include "core/report/run_log.h"
#include "engine/train/trainer.h"

namespace toolkit::finetune {

/// The run in progress: what the trainer's events write to. Draws the progress bars, keeps the
/// points of the plot.
struct Recorder {
  report::RunLog& log;
  bool quiet;
  std::vector<std::pair<double, double>> training, validation;  // step, loss
  std::unique_ptr<Progress> bar, validation_bar, reference_bar;
  int64_t steps = 0;
  double average_loss = 0, average_accuracy = 0, seconds = 0;
  int64_t tokens = 0, first_tokens = 0;
  double first_seconds = 0;

  void stepped(const engine::StepReport& report);
  bool validating(int done, int total);
  bool asking_base(int done, int total);  // DPO's reference log-probabilities
  void validated(int64_t step, double loss, const engine::Metrics& metrics);
};

}  // namespace toolkit::finetune
