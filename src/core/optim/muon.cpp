#include "core/optim/muon.h"

#include <algorithm>
#include <cmath>

#include "core/optim/adamw.h"
#include "core/optim/slots.h"
#include "mlx/mlx.h"

namespace toolkit::optim {

namespace {

constexpr int kNewtonSchulzSteps = 5;
constexpr float kA = 3.4445f, kB = -4.7750f, kC = 2.0315f;

mx::array scaled(const mx::array& x, float factor) {
  return mx::multiply(x, mx::array(factor));
}

// x (R, C) with singular values near 1.
mx::array orthogonalized(mx::array x) {
  const bool tall = x.shape(0) > x.shape(1);
  if (tall) x = mx::transpose(x);
  const mx::array norm = mx::sqrt(mx::sum(mx::square(x)));
  x = mx::divide(x, mx::maximum(norm, mx::array(1e-7f)));
  for (int i = 0; i < kNewtonSchulzSteps; ++i) {
    const mx::array gram = mx::matmul(x, mx::transpose(x));
    const mx::array polynomial = mx::add(scaled(gram, kB), scaled(mx::matmul(gram, gram), kC));
    x = mx::add(scaled(x, kA), mx::matmul(polynomial, x));
  }
  return tall ? mx::transpose(x) : x;
}

class Muon : public SlotOptimizer {
 public:
  using SlotOptimizer::SlotOptimizer;

 protected:
  bool is_matrix(const mx::array& parameter, size_t index) const {
    return parameter.ndim() == 2 && rule(index).orthogonalizable;
  }

  std::vector<Slot> slots(const mx::array& parameter, size_t index) const override {
    if (is_matrix(parameter, index)) return {{"m", parameter.shape()}};
    return {{"m", parameter.shape()}, {"v", parameter.shape()}};
  }

  std::vector<mx::array> update(std::span<const mx::array> parameters,
                                std::span<const mx::array> gradients,
                                std::vector<SlotArrays>& slots, const StepInputs& inputs,
                                const tensor::GradientScaling& scaling, int step) override {
    std::vector<mx::array> result(parameters.begin(), parameters.end());
    RuleUpdate others{.gradients = gradients, .scaling = scaling};
    std::vector<size_t> chosen;
    const mx::array factor = tensor::gradient_factor(scaling), finite = mx::isfinite(scaling.norm);
    for (size_t i = 0; i < parameters.size(); ++i) {
      others.rates.push_back(rate(i, inputs));
      others.decays.push_back(decay(i));
      if (!is_matrix(parameters[i], i)) {
        chosen.push_back(i);
        continue;
      }
      const mx::array g = mx::multiply(mx::astype(gradients[i], mx::float32), factor);
      const float momentum = or_default(settings().momentum, 0.95);
      const auto averaged = [&](const mx::array& old) {
        return mx::add(scaled(old, momentum), scaled(g, 1.0f - momentum));
      };
      // g + momentum (m - g): Nesterov's form of an average.
      const mx::array m = averaged(slots[i][0]);
      const mx::array ahead = mx::add(scaled(g, 1.0f - momentum), scaled(m, momentum));
      const auto longer =
          static_cast<float>(std::max(parameters[i].shape(0), parameters[i].shape(1)));
      const float speed = others.rates[i];
      const mx::array change = scaled(orthogonalized(ahead), speed * 0.2f * std::sqrt(longer));
      const mx::array kept =
          scaled(mx::astype(parameters[i], mx::float32), 1.0f - speed * others.decays[i]);
      const mx::array moved = mx::astype(mx::subtract(kept, change), parameters[i].dtype());
      result[i] = mx::where(finite, moved, parameters[i]);
      slots[i][0] = mx::where(finite, m, slots[i][0]);
    }
    if (!chosen.empty()) others.apply(adamw_rule(settings(), step), chosen, result, slots);
    return result;
  }
};

}  // namespace

std::unique_ptr<Optimizer> make_muon(const OptimizerSettings& settings) {
  return std::make_unique<Muon>(settings);
}

}  // namespace toolkit::optim
