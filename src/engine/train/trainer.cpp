#include "engine/train/trainer.h"

#include <chrono>
#include <cmath>

#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "mlx/transforms.h"

namespace toolkit::engine {

namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

Trainer::Trainer(models::Decoder& model, const Batches& train, const Batches* valid,
                 TrainerOptions options, TrainerEvents events)
    : model_(model),
      parameters_(model),
      train_(train),
      valid_(valid),
      options_(std::move(options)),
      events_(std::move(events)),
      optimizer_(optim::make_optimizer(options_.optimizer, options_.optimizer_settings)) {
  state_.fingerprint = options_.fingerprint;
}

void Trainer::resume(const TrainingState& state) {
  if (state.fingerprint != options_.fingerprint)
    fail(ErrorKind::kUserInput,
         "the saved run had other settings, so its steps cannot be continued; saved: {}; now: {}",
         state.fingerprint, options_.fingerprint);
  std::vector<mx::array> values = parameters_.values();
  for (size_t i = 0; i < values.size(); ++i) {
    const std::string& name = parameters_.names()[i];
    const auto found = state.parameters.find(name);
    if (found == state.parameters.end() || found->second.shape() != values[i].shape())
      fail(ErrorKind::kUserInput,
           "the saved run has no '{}' of this shape: it had another rank, "
           "other targets or another model",
           name);
    values[i] = found->second;
  }
  optimizer_->restore(state.optimizer, values, static_cast<int>(state.optimizer_steps));
  parameters_.assign(values);
  state_ = state;
  state_.parameters.clear();
  state_.optimizer.clear();
}

StepReport Trainer::step(const data::PackedBatch& batch) {
  const auto begin = std::chrono::steady_clock::now();
  const int supervised = static_cast<int>(batch.predictors.size());
  StepReport report{.step = ++state_.step, .tokens = batch.tokens, .supervised_tokens = supervised};
  report.learning_rate = options_.schedule.rate(static_cast<int>(state_.step));

  LossOptions options = options_.loss;
  options.draw = state_.step;
  auto [loss, gradients] = loss_and_gradients(model_, parameters_, batch, options);
  optim::StepResult update = optimizer_->step(parameters_.values(), gradients,
                                              {.learning_rate = report.learning_rate,
                                               .gradient_scale = 1.0 / std::max(1, supervised),
                                               .max_norm = options_.clip});
  // The model lets go of the old values before anything runs, so that their buffers are reused.
  parameters_.assign(update.parameters);
  gradients.clear();
  update.parameters.clear();
  std::vector<mx::array> outputs = parameters_.values();
  for (const auto& [name, array] : optimizer_->state()) outputs.push_back(array);
  outputs.push_back(loss);
  outputs.push_back(update.gradient_norm);
  mx::eval(std::move(outputs));

  report.loss = loss.item<float>() / std::max(1, supervised);
  report.gradient_norm = update.gradient_norm.item<float>();
  report.skipped = !std::isfinite(report.gradient_norm);
  if (report.skipped) optimizer_->undo_count();
  state_.tokens += batch.tokens;
  state_.supervised_tokens += supervised;
  report.seconds = seconds_since(begin);
  seconds_ += report.seconds;
  if (steps_here_++ > 0) {
    warm_seconds_ += report.seconds;
    warm_tokens_ += batch.tokens;
  }
  return report;
}

void Trainer::check_bad_steps(const StepReport& report) {
  if (!report.skipped) {
    bad_steps_ = 0;
    return;
  }
  ++skipped_;
  if (++bad_steps_ < options_.max_bad_steps) return;
  fail(
      ErrorKind::kUserInput,
      "the gradient was not a finite number in steps {} to {} (loss {}), so training cannot go on; "
      "lower the learning rate (now {:.3g}), or use --compute f32. What was saved before is "
      "intact.",
      report.step - bad_steps_ + 1, report.step, report.loss, report.learning_rate);
}

bool Trainer::validate() {
  if (!valid_ || last_validated_ == state_.step) return false;
  const MeasuredLoss measured = measure_loss(model_, *valid_, [&](int done, int total) {
    if (InterruptGuard::requested()) return false;
    return !events_.validating || events_.validating(done, total);
  });
  if (!measured.complete) {
    interrupted_ = true;
    return false;
  }
  last_validated_ = state_.step;
  last_validation_loss_ = measured.mean();
  if (state_.step == 0) state_.validation_loss_before = last_validation_loss_;
  if (events_.validated) events_.validated(state_.step, last_validation_loss_);
  // The untrained model is no candidate: there would be no adapter to keep.
  const bool better =
      state_.step > 0 && (state_.best_step < 0 || last_validation_loss_ < state_.best_loss);
  if (better) {
    state_.best_loss = last_validation_loss_;
    state_.best_step = state_.step;
  }
  return better;
}

void Trainer::save(bool best) {
  if (!events_.save) return;
  const std::vector<mx::array> values = parameters_.values();
  TrainingState state = state_;
  state.optimizer_steps = optimizer_->steps_done();
  for (size_t i = 0; i < values.size(); ++i)
    state.parameters.emplace(parameters_.names()[i], values[i]);
  state.optimizer = optimizer_->state();
  events_.save(state, best);
}

TrainingSummary Trainer::run() {
  const auto due = [&](int every) { return every > 0 && state_.step % every == 0; };
  if (state_.step == 0) validate();
  while (!interrupted_ && state_.step < options_.steps) {
    const StepReport report = step(train_.at(state_.step));
    if (events_.stepped) events_.stepped(report);
    check_bad_steps(report);
    const bool last = state_.step >= options_.steps;
    const bool better = (last || due(options_.validate_every)) && validate();
    if (better || last || interrupted_ || due(options_.save_every)) save(better);
    if (!last && !interrupted_ && InterruptGuard::requested()) {
      interrupted_ = true;
      save(false);
    }
  }
  return summary();
}

TrainingSummary Trainer::summary() const {
  return {.steps = state_.step,
          .skipped_steps = skipped_,
          .tokens = state_.tokens,
          .supervised_tokens = state_.supervised_tokens,
          .seconds = seconds_,
          .tokens_per_second =
              warm_seconds_ > 0 ? static_cast<double>(warm_tokens_) / warm_seconds_ : 0,
          .validation_loss_before = state_.validation_loss_before,
          .validation_loss_after = last_validation_loss_,
          .best_validation_loss = state_.best_loss,
          .best_step = state_.best_step,
          .validated = last_validated_ >= 0,
          .interrupted = interrupted_};
}

}  // namespace toolkit::engine
