#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/distributed/process_group.h"
#include "core/optim/optimizer.h"
#include "core/optim/schedule.h"
#include "engine/train/batches.h"
#include "engine/train/objective.h"
#include "engine/train/trainable_parameters.h"
#include "engine/train/training_state.h"
#include "models/decoder.h"

namespace toolkit::engine {

struct TrainerOptions {
  int64_t steps = 1;         // of the whole run, resumed parts included
  optim::Schedule schedule;  // its total_steps is normally `steps`
  int accumulate = 1;        // batches of this process whose gradients make one step
  std::string optimizer = "adamw";
  optim::OptimizerSettings optimizer_settings;  // its rules are filled in by the trainer
  double lora_b_rate = 1.0;  // LoRA+ (Hayou et al. 2024, arXiv:2402.12354): factor of b's rate
  double clip = 1.0;         // global gradient norm; 0: no clipping
  int validate_every = 0;    // steps; 0: only before and after
  int save_every = 0;        // steps; 0: only where validation is better, and at the end
  int max_bad_steps = 5;     // this many steps in a row without a finite gradient end the run
  int patience = 0;          // validations in a row without improvement end the run; 0: none do
  double min_delta = 0;      // what an improvement is at least
  LossOptions loss;          // its draw is chosen by the trainer
  /// What is minimized, and what is measured on the validation rows; null: supervised(), and the
  /// same as in training.
  std::shared_ptr<const Objective> objective, validation_objective;
  std::string fingerprint;  // kept in the state; see TrainingState
  /// Trains with these processes; null: alone. Must outlive the trainer.
  const distributed::ProcessGroup* processes = nullptr;
};

/// Rates and weight decay by role: b of LoRA has its own rate, norms, biases and magnitudes do not
/// decay, Muon leaves embeddings to AdamW.
std::vector<optim::ParameterRule> parameter_rules(const TrainableParameters& parameters,
                                                  double lora_b_rate);

struct StepReport {
  int64_t step = 0;  // 1, 2, ...
  double loss = 0;   // mean over the step's units (Objective), before the update
  Metrics metrics;   // of the objective, likewise
  double learning_rate = 0, gradient_norm = 0, seconds = 0;
  int tokens = 0, supervised_tokens = 0;  // of all processes, each sample counted whole
  bool skipped = false;                   // gradient was not finite: nothing changed
};

struct TrainingSummary {
  int64_t steps = 0, skipped_steps = 0;
  int64_t tokens = 0, supervised_tokens = 0;  // of all steps, resumed parts included
  double seconds = 0;                         // in steps of this process, validation left out
  double tokens_per_second =
      0;  // real tokens, each sample counted whole; the first step of this process left out
  double validation_loss_before = 0, validation_loss_after = 0;
  Metrics validation_metrics_before, validation_metrics_after, best_validation_metrics;
  double best_validation_loss = 0;
  int64_t best_step = -1;
  bool validated = false, interrupted = false;
  bool stopped_early = false;  // validation did not improve for `patience` times
};

/// What a run tells while it goes. Every member may be empty.
struct TrainerEvents {
  std::function<void(const StepReport&)> stepped;
  std::function<bool(int done, int total)> validating;  // false stops the run like Ctrl-C
  std::function<void(int64_t step, double loss, const Metrics&)> validated;
  /// The state to keep; `best`: its validation loss is the lowest so far.
  std::function<void(const TrainingState&, bool best)> save;
};

/// Training of a decoder's trainable arrays (trainable_parameters.h) on packed batches. A step
/// takes `accumulate` batches for each process; their gradients are summed and divided once by all
/// units (supervised tokens, or pairs), so that it equals a step on one large batch. The last step
/// of an epoch takes what is left. Every process computes its share of a step's batches and ends
/// with the same parameters; only the leader calls `save`.
class Trainer {
 public:
  /// `valid` may be null. Both must outlive the trainer.
  Trainer(models::Decoder& model, const Batches& train, const Batches* valid,
          TrainerOptions options, TrainerEvents events);

  /// Goes on from a saved state: parameters, optimizer, position. Throws Error(kUserInput) if it
  /// belongs to other settings.
  void resume(const TrainingState& state);

  /// Runs to the end, or until InterruptGuard::requested(): then the running step is finished and
  /// the state saved. Throws Error(kUserInput) after `max_bad_steps` bad steps in a row.
  TrainingSummary run();

  /// One step on a batch, alone: what run() repeats. For tests and measurements.
  StepReport step(const data::PackedBatch& batch);

 private:
  /// Sums over the batches of one step, its gradients in the order of the parameters.
  struct Sums {
    mx::array loss;
    std::vector<mx::array> metrics;  // none, or one of (M)
    std::vector<mx::array> gradients;
    double tokens = 0, supervised = 0, units = 0;
  };
  using BatchSource = std::function<data::PackedBatch(int64_t)>;

  Sums sums_over(std::span<const int64_t> batches, const BatchSource& source);
  void sum_over_processes(Sums& sums);
  StepReport step_on(std::span<const int64_t> batches, const BatchSource& source);
  std::vector<int64_t> own_batches(int64_t step) const;
  bool interrupt_agreed();
  MeasuredLoss measure();
  bool validate();
  const Objective& objective() const;
  const Objective& validation_objective() const;
  void count_improvement(double loss);
  bool out_of_patience() const;
  void save(bool best);
  void check_bad_steps(const StepReport& report);
  TrainingSummary summary() const;

  models::Decoder& model_;
  TrainableParameters parameters_;
  const Batches& train_;
  const Batches* valid_;
  TrainerOptions options_;
  TrainerEvents events_;
  const distributed::ProcessGroup alone_;
  const distributed::ProcessGroup& processes_;
  std::unique_ptr<optim::Optimizer> optimizer_;

  TrainingState state_;  // its arrays are filled when it is saved
  int64_t last_validated_ = -1;
  double last_validation_loss_ = 0;
  Metrics last_validation_metrics_;
  bool interrupted_ = false;
  bool interrupt_seen_ = false;  // by any process, in the last step
  int bad_steps_ = 0;
  int64_t skipped_ = 0, steps_here_ = 0;
  double seconds_ = 0, warm_seconds_ = 0;
  int64_t warm_tokens_ = 0;
};

}  // namespace toolkit::engine
