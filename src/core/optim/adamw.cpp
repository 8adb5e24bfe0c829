#include "core/optim/adamw.h"

#include "core/optim/slots.h"

namespace toolkit::optim {

namespace {

class Adamw : public RuleOptimizer {
 public:
  using RuleOptimizer::RuleOptimizer;

 protected:
  std::vector<Slot> slots(const mx::array& parameter, size_t) const override {
    return {{"m", parameter.shape()}, {"v", parameter.shape()}};
  }
  tensor::UpdateRule update_rule(int step) const override { return adamw_rule(settings(), step); }
};

class Adamw8bit : public RuleOptimizer {
 public:
  using RuleOptimizer::RuleOptimizer;

 protected:
  std::vector<Slot> slots(const mx::array& parameter, size_t) const override {
    const auto block = static_cast<size_t>(tensor::kMomentBlock);
    const auto blocks = static_cast<int>((parameter.size() + block - 1) / block);
    return {{"q", parameter.shape(), mx::int8}, {"s", {blocks}}, {"v", parameter.shape()}};
  }
  tensor::UpdateRule update_rule(int step) const override {
    return tensor::Adamw8bitRule{adamw_rule(settings(), step)};
  }
};

}  // namespace

tensor::AdamwRule adamw_rule(const OptimizerSettings& settings, int step) {
  return {.beta1 = or_default(settings.beta1, 0.9),
          .beta2 = or_default(settings.beta2, 0.999),
          .eps = or_default(settings.eps, 1e-8),
          .step = step};
}

std::unique_ptr<Optimizer> make_adamw(const OptimizerSettings& settings) {
  return std::make_unique<Adamw>(settings);
}

std::unique_ptr<Optimizer> make_adamw_8bit(const OptimizerSettings& settings) {
  return std::make_unique<Adamw8bit>(settings);
}

}  // namespace toolkit::optim
