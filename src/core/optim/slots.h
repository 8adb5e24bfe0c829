#pragma once

#include "core/optim/optimizer.h"
#include "core/tensor/optimizer_update.h"

namespace toolkit::optim {

/// One array that an optimizer remembers for a parameter; it starts as zeros.
struct Slot {
  std::string kind;  // "m": the state of parameter 3 is called "m.3"
  mx::Shape shape;
  mx::Dtype type = mx::float32;
};

/// The arrays of one parameter, in the order of its slots.
using SlotArrays = std::vector<mx::array>;

/// What all optimizers share: arrays by parameter, their names, counting of steps.
class SlotOptimizer : public Optimizer {
 public:
  explicit SlotOptimizer(OptimizerSettings settings) : settings_(std::move(settings)) {}

  StepResult step(std::span<const mx::array> parameters, std::span<const mx::array> gradients,
                  const StepInputs& inputs) final;
  std::map<std::string, mx::array> state() const final;
  void restore(const std::map<std::string, mx::array>& state, std::span<const mx::array> parameters,
               int steps_done) final;
  int steps_done() const final { return steps_; }
  void undo_count() final;

 protected:
  /// What is remembered for parameter `index`.
  virtual std::vector<Slot> slots(const mx::array& parameter, size_t index) const = 0;
  /// Step number `step` (1, 2, ...): the new parameters; replaces `slots` by their new values. A
  /// norm that is not finite must change neither.
  virtual std::vector<mx::array> update(std::span<const mx::array> parameters,
                                        std::span<const mx::array> gradients,
                                        std::vector<SlotArrays>& slots, const StepInputs& inputs,
                                        const tensor::GradientScaling& scaling, int step) = 0;

  const OptimizerSettings& settings() const { return settings_; }
  ParameterRule rule(size_t index) const;
  /// Learning rate and weight decay of one parameter.
  float rate(size_t index, const StepInputs& inputs) const;
  float decay(size_t index) const;

 private:
  OptimizerSettings settings_;
  std::vector<SlotArrays> arrays_;
  std::vector<std::vector<std::string>> names_;
  int steps_ = 0;
};

/// `value` unless it is below 0.
inline float or_default(double value, double standard) {
  return static_cast<float>(value < 0 ? standard : value);
}

/// The parameters that `chosen` names (or all), updated by one rule of core/tensor in one pass.
/// Writes the results over `parameters` and `slots`.
struct RuleUpdate {
  std::span<const mx::array> gradients;
  std::vector<float> rates, decays;  // by parameter
  const tensor::GradientScaling& scaling;

  void apply(const tensor::UpdateRule& rule, const std::vector<size_t>& chosen,
             std::vector<mx::array>& parameters, std::vector<SlotArrays>& slots) const;
};

/// An optimizer that is one rule of core/tensor for every parameter.
class RuleOptimizer : public SlotOptimizer {
 public:
  using SlotOptimizer::SlotOptimizer;

 protected:
  virtual tensor::UpdateRule update_rule(int step) const = 0;
  std::vector<mx::array> update(std::span<const mx::array> parameters,
                                std::span<const mx::array> gradients,
                                std::vector<SlotArrays>& slots, const StepInputs& inputs,
                                const tensor::GradientScaling& scaling, int step) final;
};

}  // namespace toolkit::optim
