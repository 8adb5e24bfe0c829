#include "engine/train/trainer.h"

#include <chrono>
#include <cmath>

#include "core/base/elapsed.h"
#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/tensor/optimizer_update.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::engine {

namespace {

// Of the sums of metrics, which are none or one array.
std::vector<double> numbers_of(std::vector<mx::array> sums) {
  if (sums.empty()) return {};
  mx::eval(sums);
  return {sums[0].data<float>(), sums[0].data<float>() + sums[0].size()};
}

}  // namespace

std::vector<optim::ParameterRule> parameter_rules(const TrainableParameters& parameters,
                                                  double lora_b_rate) {
  std::vector<optim::ParameterRule> rules;
  for (const ParameterInfo& info : parameters.infos()) {
    const ParameterRole role = info.role;
    rules.push_back({.rate_factor = role == ParameterRole::kLoraB ? lora_b_rate : 1.0,
                     .decays = role != ParameterRole::kNorm && role != ParameterRole::kBias &&
                               role != ParameterRole::kMagnitude,
                     .orthogonalizable = role != ParameterRole::kEmbedding});
  }
  return rules;
}

Trainer::Trainer(models::Decoder& model, const Batches& train, const Batches* valid,
                 TrainerOptions options, TrainerEvents events)
    : model_(model),
      parameters_(model),
      train_(train),
      valid_(valid),
      options_(std::move(options)),
      events_(std::move(events)),
      processes_(options_.processes ? *options_.processes : alone_) {
  optim::OptimizerSettings settings = options_.optimizer_settings;
  settings.rules = parameter_rules(parameters_, options_.lora_b_rate);
  optimizer_ = optim::make_optimizer(options_.optimizer, settings);
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

const Objective& Trainer::objective() const {
  return options_.objective ? *options_.objective : supervised();
}

const Objective& Trainer::validation_objective() const {
  return options_.validation_objective ? *options_.validation_objective : objective();
}

Trainer::Sums Trainer::sums_over(std::span<const int64_t> batches, const BatchSource& source) {
  Sums sums{mx::array(0.0f), {}, {}};
  for (size_t i = 0; i < batches.size(); ++i) {
    const data::PackedBatch batch = source(batches[i]);
    LossOptions options = options_.loss;
    options.draw = batches[i] + 1;
    BatchGradients found = batch_gradients(model_, parameters_, batch, options, objective());
    sums.loss = i == 0 ? found.loss : mx::add(sums.loss, found.loss);
    if (i == 0) sums.metrics = found.metrics;
    for (size_t k = 0; i > 0 && k < sums.metrics.size(); ++k)
      sums.metrics[k] = mx::add(sums.metrics[k], found.metrics[k]);
    sums.gradients = i == 0 ? std::move(found.gradients)
                            : tensor::add_gradients(std::move(sums.gradients), found.gradients);
    sums.tokens += batch.tokens;
    sums.supervised += static_cast<double>(batch.predictors.size());
    sums.units += objective().units(batch);
    found.gradients.clear();
    if (i + 1 == batches.size()) break;
    // One set of sums lives between batches, no graph.
    std::vector<mx::array> outputs = sums.gradients;
    outputs.push_back(sums.loss);
    outputs.insert(outputs.end(), sums.metrics.begin(), sums.metrics.end());
    mx::eval(std::move(outputs));
  }
  if (!batches.empty()) return sums;
  for (const mx::array& value : parameters_.values())
    sums.gradients.push_back(mx::zeros(value.shape(), mx::float32));
  if (const auto names = objective().metric_names(); !names.empty())
    sums.metrics = {mx::zeros({static_cast<int>(names.size())}, mx::float32)};
  return sums;
}

void Trainer::sum_over_processes(Sums& sums) {
  if (processes_.alone()) return;
  sums.gradients = processes_.sum(std::move(sums.gradients));
  std::vector<double> own = {sums.loss.item<float>(), sums.tokens, sums.supervised,
                             InterruptGuard::requested() ? 1.0 : 0.0, sums.units};
  const std::vector<double> metrics = numbers_of(sums.metrics);
  own.insert(own.end(), metrics.begin(), metrics.end());
  const std::vector<double> all = processes_.sum(own);
  sums.loss = mx::array(static_cast<float>(all[0]));
  sums.tokens = all[1];
  sums.supervised = all[2];
  interrupt_seen_ = all[3] > 0;
  sums.units = all[4];
  if (metrics.empty()) return;
  const std::vector<float> summed(all.begin() + 5, all.end());
  sums.metrics = {mx::array(summed.data(), {static_cast<int>(summed.size())}, mx::float32)};
}

StepReport Trainer::step_on(std::span<const int64_t> batches, const BatchSource& source) {
  const auto begin = std::chrono::steady_clock::now();
  StepReport report{.step = ++state_.step};
  report.learning_rate = options_.schedule.rate(static_cast<int>(state_.step));

  Sums sums = sums_over(batches, source);
  sum_over_processes(sums);
  const double units = std::max(1.0, sums.units);
  optim::StepResult update = optimizer_->step(parameters_.values(), sums.gradients,
                                              {.learning_rate = report.learning_rate,
                                               .gradient_scale = 1.0 / units,
                                               .max_norm = options_.clip});
  // The model lets go of the old values before anything runs, so that their buffers are reused.
  parameters_.assign(update.parameters);
  sums.gradients.clear();
  update.parameters.clear();
  std::vector<mx::array> outputs = parameters_.values();
  for (const auto& [name, array] : optimizer_->state()) outputs.push_back(array);
  outputs.push_back(sums.loss);
  outputs.insert(outputs.end(), sums.metrics.begin(), sums.metrics.end());
  outputs.push_back(update.gradient_norm);
  mx::eval(std::move(outputs));

  report.tokens = static_cast<int>(sums.tokens);
  report.supervised_tokens = static_cast<int>(sums.supervised);
  report.loss = sums.loss.item<float>() / units;
  report.metrics = mean_metrics(objective(), numbers_of(sums.metrics), units);
  report.gradient_norm = update.gradient_norm.item<float>();
  report.skipped = !std::isfinite(report.gradient_norm);
  if (report.skipped) optimizer_->undo_count();
  state_.tokens += report.tokens;
  state_.supervised_tokens += report.supervised_tokens;
  report.seconds = seconds_since(begin);
  seconds_ += report.seconds;
  if (steps_here_++ > 0) {
    warm_seconds_ += report.seconds;
    warm_tokens_ += report.tokens;
  }
  return report;
}

StepReport Trainer::step(const data::PackedBatch& batch) {
  const int64_t one[] = {state_.step};
  return step_on(one, [&](int64_t) { return batch; });
}

std::vector<int64_t> Trainer::own_batches(int64_t step) const {
  const StepBatches all =
      batches_of_step(step, train_.per_epoch(), options_.accumulate * processes_.size());
  std::vector<int64_t> own;
  for (int64_t i = all.begin + processes_.rank(); i < all.end; i += processes_.size())
    own.push_back(i);
  return own;
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

MeasuredLoss Trainer::measure() {
  MeasuredLoss measured = measure_loss(
      model_, *valid_,
      [&](int done, int total) {
        if (InterruptGuard::requested()) return false;
        return !events_.validating || events_.validating(done, total);
      },
      {.index = processes_.rank(), .of = processes_.size()}, validation_objective());
  if (processes_.alone()) return measured;
  std::vector<double> own = {measured.sum, measured.units, measured.complete ? 0.0 : 1.0};
  own.insert(own.end(), measured.metric_sums.begin(), measured.metric_sums.end());
  const std::vector<double> all = processes_.sum(own);
  return {.sum = all[0],
          .units = all[1],
          .metric_sums = {all.begin() + 3, all.end()},
          .complete = all[2] == 0};
}

bool Trainer::validate() {
  if (!valid_ || last_validated_ == state_.step) return false;
  const MeasuredLoss measured = measure();
  if (!measured.complete) {
    interrupted_ = true;
    return false;
  }
  last_validated_ = state_.step;
  last_validation_loss_ = measured.mean();
  last_validation_metrics_ =
      mean_metrics(validation_objective(), measured.metric_sums, measured.units);
  if (state_.step == 0) {
    state_.validation_loss_before = last_validation_loss_;
    state_.validation_metrics_before = last_validation_metrics_;
  }
  if (events_.validated)
    events_.validated(state_.step, last_validation_loss_, last_validation_metrics_);
  // The untrained model is no candidate: there would be no adapter to keep.
  if (state_.step == 0) return false;
  count_improvement(last_validation_loss_);
  const bool better = state_.best_step < 0 || last_validation_loss_ < state_.best_loss;
  if (better) {
    state_.best_loss = last_validation_loss_;
    state_.best_step = state_.step;
    state_.best_metrics = last_validation_metrics_;
  }
  return better;
}

void Trainer::count_improvement(double loss) {
  const bool first = state_.best_step < 0;
  if (first || loss < state_.patience_loss - options_.min_delta) {
    state_.patience_loss = loss;
    state_.stale_validations = 0;
  } else {
    ++state_.stale_validations;
  }
}

bool Trainer::out_of_patience() const {
  return options_.patience > 0 && state_.stale_validations >= options_.patience;
}

void Trainer::save(bool best) {
  const std::vector<mx::array> values = parameters_.values();
  processes_.check_same("parameters", values);
  if (!events_.save || !processes_.leads()) return;
  TrainingState state = state_;
  state.optimizer_steps = optimizer_->steps_done();
  for (size_t i = 0; i < values.size(); ++i)
    state.parameters.emplace(parameters_.names()[i], values[i]);
  state.optimizer = optimizer_->state();
  events_.save(state, best);
}

// Processes agree in the sums of a step; what one of them was told between steps, the others learn
// in the next.
bool Trainer::interrupt_agreed() {
  return processes_.alone() ? InterruptGuard::requested() : interrupt_seen_;
}

TrainingSummary Trainer::run() {
  const auto due = [&](int every) { return every > 0 && state_.step % every == 0; };
  const auto source = [&](int64_t number) { return train_.at(number); };
  processes_.check_same("settings or data", options_.fingerprint);
  processes_.check_same("parameters", parameters_.values());
  if (state_.step == 0) validate();
  while (!interrupted_ && state_.step < options_.steps && !out_of_patience()) {
    const StepReport report = step_on(own_batches(state_.step), source);
    if (events_.stepped) events_.stepped(report);
    check_bad_steps(report);
    bool last = state_.step >= options_.steps;
    const bool better = (last || due(options_.validate_every)) && validate();
    last = last || out_of_patience();
    if (better || last || interrupted_ || due(options_.save_every)) save(better);
    if (!last && !interrupted_ && interrupt_agreed()) {
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
          .validation_metrics_before = state_.validation_metrics_before,
          .validation_metrics_after = last_validation_metrics_,
          .best_validation_metrics = state_.best_metrics,
          .best_validation_loss = state_.best_loss,
          .best_step = state_.best_step,
          .validated = last_validated_ >= 0,
          .interrupted = interrupted_,
          .stopped_early = out_of_patience()};
}

}  // namespace toolkit::engine
