#include "core/optim/slots.h"

#include <algorithm>
#include <numeric>

#include "core/base/error.h"
#include "mlx/ops.h"

namespace toolkit::optim {

StepResult SlotOptimizer::step(std::span<const mx::array> parameters,
                               std::span<const mx::array> gradients, const StepInputs& inputs) {
  if (parameters.size() != gradients.size() ||
      (!arrays_.empty() && arrays_.size() != parameters.size()) ||
      (!settings_.rules.empty() && settings_.rules.size() != parameters.size()))
    fail(ErrorKind::kInternal, "optimizer: {} parameters, {} gradients, state of {}, {} rules",
         parameters.size(), gradients.size(), arrays_.size(), settings_.rules.size());
  if (arrays_.empty()) {
    for (size_t i = 0; i < parameters.size(); ++i) {
      SlotArrays& arrays = arrays_.emplace_back();
      std::vector<std::string>& names = names_.emplace_back();
      for (const Slot& slot : slots(parameters[i], i)) {
        arrays.push_back(mx::zeros(slot.shape, slot.type));
        names.push_back(slot.kind + "." + std::to_string(i));
      }
    }
  }
  const auto scale = static_cast<float>(inputs.gradient_scale);
  const tensor::GradientScaling scaling{.norm = tensor::gradient_norm(gradients, scale),
                                        .scale = scale,
                                        .max_norm = static_cast<float>(inputs.max_norm)};
  return {update(parameters, gradients, arrays_, inputs, scaling, ++steps_), scaling.norm};
}

std::map<std::string, mx::array> SlotOptimizer::state() const {
  std::map<std::string, mx::array> named;
  for (size_t i = 0; i < arrays_.size(); ++i)
    for (size_t k = 0; k < arrays_[i].size(); ++k) named.emplace(names_[i][k], arrays_[i][k]);
  return named;
}

void SlotOptimizer::restore(const std::map<std::string, mx::array>& state,
                            std::span<const mx::array> parameters, int steps_done) {
  std::vector<SlotArrays> arrays;
  std::vector<std::vector<std::string>> names;
  size_t count = 0;
  for (size_t i = 0; i < parameters.size(); ++i) {
    arrays.emplace_back();
    names.emplace_back();
    for (const Slot& slot : slots(parameters[i], i)) {
      const std::string name = slot.kind + "." + std::to_string(i);
      const auto found = state.find(name);
      if (found == state.end())
        fail(ErrorKind::kUserInput,
             "optimizer state has no '{}': it belongs to another adapter or another optimizer",
             name);
      if (found->second.shape() != slot.shape || found->second.dtype() != slot.type)
        fail(ErrorKind::kUserInput, "optimizer state '{}' does not fit its parameter", name);
      arrays.back().push_back(found->second);
      names.back().push_back(name);
      ++count;
    }
  }
  // Before the first step there is no state yet.
  if (state.size() != count && !(state.empty() && steps_done == 0))
    fail(ErrorKind::kUserInput, "optimizer state has {} arrays, expected {}", state.size(), count);
  arrays_ = std::move(arrays);
  names_ = std::move(names);
  steps_ = steps_done;
}

void SlotOptimizer::undo_count() {
  steps_ = std::max(0, steps_ - 1);
}

ParameterRule SlotOptimizer::rule(size_t index) const {
  return settings_.rules.empty() ? ParameterRule{} : settings_.rules[index];
}

float SlotOptimizer::rate(size_t index, const StepInputs& inputs) const {
  return static_cast<float>(inputs.learning_rate * rule(index).rate_factor);
}

float SlotOptimizer::decay(size_t index) const {
  return rule(index).decays ? static_cast<float>(settings_.weight_decay) : 0.0f;
}

void RuleUpdate::apply(const tensor::UpdateRule& rule, const std::vector<size_t>& chosen,
                       std::vector<mx::array>& parameters, std::vector<SlotArrays>& slots) const {
  std::vector<tensor::TensorUpdate> updates;
  for (const size_t i : chosen)
    updates.push_back({.parameter = parameters[i],
                       .gradient = gradients[i],
                       .state = std::move(slots[i]),
                       .learning_rate = rates[i],
                       .weight_decay = decays[i]});
  std::vector<tensor::UpdatedTensor> updated =
      tensor::optimizer_update(std::move(updates), rule, scaling);
  for (size_t k = 0; k < chosen.size(); ++k) {
    parameters[chosen[k]] = std::move(updated[k].parameter);
    slots[chosen[k]] = std::move(updated[k].state);
  }
}

std::vector<mx::array> RuleOptimizer::update(std::span<const mx::array> parameters,
                                             std::span<const mx::array> gradients,
                                             std::vector<SlotArrays>& slots,
                                             const StepInputs& inputs,
                                             const tensor::GradientScaling& scaling, int step) {
  RuleUpdate all{.gradients = gradients, .scaling = scaling};
  for (size_t i = 0; i < parameters.size(); ++i) {
    all.rates.push_back(rate(i, inputs));
    all.decays.push_back(decay(i));
  }
  std::vector<size_t> chosen(parameters.size());
  std::iota(chosen.begin(), chosen.end(), size_t{0});
  std::vector<mx::array> result(parameters.begin(), parameters.end());
  all.apply(update_rule(step), chosen, result, slots);
  return result;
}

}  // namespace toolkit::optim
