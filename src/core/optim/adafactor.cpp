#include "core/optim/adafactor.h"

#include <algorithm>
#include <cmath>

#include "core/optim/slots.h"
#include "mlx/mlx.h"

namespace toolkit::optim {

namespace {

constexpr float kEpsSquare = 1e-30f, kEpsParameter = 1e-3f;
constexpr double kDecayRate = -0.8;

mx::array scaled(const mx::array& x, float factor) {
  return mx::multiply(x, mx::array(factor));
}

mx::array root_mean_square(const mx::array& x) {
  return mx::sqrt(mx::mean(mx::square(x)));
}

class Adafactor : public SlotOptimizer {
 public:
  using SlotOptimizer::SlotOptimizer;

 protected:
  bool moving() const { return settings().beta1 > 0; }

  std::vector<Slot> slots(const mx::array& parameter, size_t) const override {
    std::vector<Slot> slots;
    const mx::Shape& shape = parameter.shape();
    if (shape.size() >= 2) {
      mx::Shape rows(shape.begin(), shape.end() - 1), columns(shape.begin(), shape.end() - 2);
      columns.push_back(shape.back());
      slots = {{"r", rows}, {"c", columns}};
    } else {
      slots = {{"v", shape}};
    }
    if (moving()) slots.push_back({"m", shape});
    return slots;
  }

  std::vector<mx::array> update(std::span<const mx::array> parameters,
                                std::span<const mx::array> gradients,
                                std::vector<SlotArrays>& slots, const StepInputs& inputs,
                                const tensor::GradientScaling& scaling, int step) override {
    const mx::array factor = tensor::gradient_factor(scaling), finite = mx::isfinite(scaling.norm);
    std::vector<mx::array> result;
    for (size_t i = 0; i < parameters.size(); ++i) {
      const mx::array p = mx::astype(parameters[i], mx::float32);
      const mx::array g = mx::multiply(mx::astype(gradients[i], mx::float32), factor);
      SlotArrays fresh;
      mx::array change = direction(g, slots[i], fresh, step);
      change = mx::divide(change, mx::maximum(mx::array(1.0f), root_mean_square(change)));
      const mx::array speed = rate_of(p, i, inputs, step);
      change = mx::multiply(change, speed);
      if (moving()) {
        const auto beta = static_cast<float>(settings().beta1);
        change = mx::add(scaled(slots[i].back(), beta), scaled(change, 1.0f - beta));
        fresh.push_back(change);
      }
      const mx::array kept = mx::subtract(p, mx::multiply(p, scaled(speed, decay(i))));
      const mx::array moved = mx::astype(mx::subtract(kept, change), parameters[i].dtype());
      result.push_back(mx::where(finite, moved, parameters[i]));
      for (size_t k = 0; k < fresh.size(); ++k)
        slots[i][k] = mx::where(finite, fresh[k], slots[i][k]);
    }
    return result;
  }

 private:
  // Gradient over the root of its second moment; `fresh` gets the new moments.
  static mx::array direction(const mx::array& g, const SlotArrays& old, SlotArrays& fresh,
                             int step) {
    const auto beta = static_cast<float>(1.0 - std::pow(step, kDecayRate));
    const mx::array square = mx::add(mx::square(g), mx::array(kEpsSquare));
    const auto averaged = [&](const mx::array& before, const mx::array& now) {
      return mx::add(scaled(before, beta), scaled(now, 1.0f - beta));
    };
    if (g.ndim() < 2) {
      fresh = {averaged(old[0], square)};
      return mx::multiply(mx::rsqrt(fresh[0]), g);
    }
    fresh = {averaged(old[0], mx::mean(square, -1)), averaged(old[1], mx::mean(square, -2))};
    const mx::array row =
        mx::rsqrt(mx::divide(fresh[0], mx::mean(fresh[0], -1, /* keepdims= */ true)));
    const mx::array by_row = mx::multiply(mx::expand_dims(row, -1), g);
    return mx::multiply(by_row, mx::expand_dims(mx::rsqrt(fresh[1]), -2));
  }

  mx::array rate_of(const mx::array& p, size_t index, const StepInputs& inputs, int step) const {
    const auto factor = static_cast<float>(rule(index).rate_factor);
    const float speed = settings().relative_step
                            ? factor * std::min(1e-2f, 1.0f / std::sqrt(static_cast<float>(step)))
                            : rate(index, inputs);
    if (!settings().scale_parameter) return mx::array(speed);
    return scaled(mx::maximum(mx::array(kEpsParameter), root_mean_square(p)), speed);
  }
};

}  // namespace

std::unique_ptr<Optimizer> make_adafactor(const OptimizerSettings& settings) {
  return std::make_unique<Adafactor>(settings);
}

}  // namespace toolkit::optim
