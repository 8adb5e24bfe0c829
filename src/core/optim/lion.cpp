#include "core/optim/lion.h"

#include "core/optim/slots.h"

namespace toolkit::optim {

namespace {

class Lion : public RuleOptimizer {
 public:
  using RuleOptimizer::RuleOptimizer;

 protected:
  std::vector<Slot> slots(const mx::array& parameter, size_t) const override {
    return {{"m", parameter.shape()}};
  }
  tensor::UpdateRule update_rule(int) const override {
    return tensor::LionRule{.beta1 = or_default(settings().beta1, 0.9),
                            .beta2 = or_default(settings().beta2, 0.99)};
  }
};

}  // namespace

std::unique_ptr<Optimizer> make_lion(const OptimizerSettings& settings) {
  return std::make_unique<Lion>(settings);
}

}  // namespace toolkit::optim
