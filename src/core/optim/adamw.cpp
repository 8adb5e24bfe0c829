#include "core/optim/adamw.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/tensor/adamw.h"
#include "mlx/ops.h"

namespace toolkit::optim {

namespace {

class Adamw : public Optimizer {
 public:
  explicit Adamw(const OptimizerSettings& settings) : settings_(settings) {}

  StepResult step(std::span<const mx::array> parameters, std::span<const mx::array> gradients,
                  const StepInputs& inputs) override {
    if (first_.empty()) {
      for (const mx::array& parameter : parameters) {
        first_.push_back(mx::zeros(parameter.shape(), mx::float32));
        second_.push_back(mx::zeros(parameter.shape(), mx::float32));
      }
    }
    const tensor::AdamwStep step{.learning_rate = static_cast<float>(inputs.learning_rate),
                                 .beta1 = static_cast<float>(settings_.beta1),
                                 .beta2 = static_cast<float>(settings_.beta2),
                                 .eps = static_cast<float>(settings_.eps),
                                 .weight_decay = static_cast<float>(settings_.weight_decay),
                                 .step = ++steps_,
                                 .gradient_scale = static_cast<float>(inputs.gradient_scale),
                                 .max_norm = static_cast<float>(inputs.max_norm)};
    tensor::AdamwResult result = tensor::adamw(parameters, gradients, first_, second_, step);
    first_ = std::move(result.first_moments);
    second_ = std::move(result.second_moments);
    return {std::move(result.parameters), result.gradient_norm};
  }

  std::map<std::string, mx::array> state() const override {
    std::map<std::string, mx::array> arrays;
    for (size_t i = 0; i < first_.size(); ++i) {
      arrays.emplace("m." + std::to_string(i), first_[i]);
      arrays.emplace("v." + std::to_string(i), second_[i]);
    }
    return arrays;
  }

  void restore(const std::map<std::string, mx::array>& state, std::span<const mx::array> parameters,
               int steps_done) override {
    std::vector<mx::array> first, second;
    for (size_t i = 0; i < parameters.size(); ++i) {
      first.push_back(find(state, "m." + std::to_string(i), parameters[i]));
      second.push_back(find(state, "v." + std::to_string(i), parameters[i]));
    }
    if (state.size() != 2 * parameters.size())
      fail(ErrorKind::kUserInput, "optimizer state has {} arrays, expected {}", state.size(),
           2 * parameters.size());
    first_ = std::move(first);
    second_ = std::move(second);
    steps_ = steps_done;
  }

  int steps_done() const override { return steps_; }
  void undo_count() override { steps_ = std::max(0, steps_ - 1); }

 private:
  static const mx::array& find(const std::map<std::string, mx::array>& state,
                               const std::string& name, const mx::array& like) {
    const auto found = state.find(name);
    if (found == state.end())
      fail(ErrorKind::kUserInput, "optimizer state has no '{}': it belongs to another adapter",
           name);
    if (found->second.shape() != like.shape() || found->second.dtype() != mx::float32)
      fail(ErrorKind::kUserInput, "optimizer state '{}' has another shape than its parameter",
           name);
    return found->second;
  }

  OptimizerSettings settings_;
  std::vector<mx::array> first_, second_;
  int steps_ = 0;
};

}  // namespace

std::unique_ptr<Optimizer> make_adamw(const OptimizerSettings& settings) {
  return std::make_unique<Adamw>(settings);
}

}  // namespace toolkit::optim
