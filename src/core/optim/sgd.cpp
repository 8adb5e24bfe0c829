#include "core/optim/sgd.h"

#include "core/base/error.h"
#include "core/optim/slots.h"

namespace toolkit::optim {

namespace {

class Sgd : public RuleOptimizer {
 public:
  explicit Sgd(const OptimizerSettings& settings)
      : RuleOptimizer(settings),
        rule_{.momentum = or_default(settings.momentum, 0.0), .nesterov = settings.nesterov} {
    if (rule_.nesterov && rule_.momentum == 0.0f)
      fail(ErrorKind::kUserInput, "sgd: nesterov needs a momentum, such as 0.9");
  }

 protected:
  std::vector<Slot> slots(const mx::array& parameter, size_t) const override {
    if (rule_.momentum == 0.0f) return {};
    return {{"m", parameter.shape()}};
  }
  tensor::UpdateRule update_rule(int) const override { return rule_; }

 private:
  tensor::SgdRule rule_;
};

}  // namespace

std::unique_ptr<Optimizer> make_sgd(const OptimizerSettings& settings) {
  return std::make_unique<Sgd>(settings);
}

}  // namespace toolkit::optim
