#include "core/tensor/plain/optimizer.h"

#include <cmath>

#include "mlx/mlx.h"

namespace toolkit::tensor::plain {

namespace {

mx::array scaled(const mx::array& x, float factor) {
  return mx::multiply(x, mx::array(factor));
}

// old * share + fresh * (1 - share)
mx::array averaged(const mx::array& old, const mx::array& fresh, float share) {
  return mx::add(scaled(old, share), scaled(fresh, 1.0f - share));
}

struct Blocks {
  mx::array codes, scales;
};

mx::array in_blocks(const mx::array& x) {
  const auto count = static_cast<int>(x.size());
  const int blocks = (count + kMomentBlock - 1) / kMomentBlock;
  const mx::array flat = mx::pad(mx::reshape(x, {-1}), {{0, blocks * kMomentBlock - count}});
  return mx::reshape(flat, {blocks, kMomentBlock});
}

mx::array out_of_blocks(const mx::array& blocks, const mx::array& like) {
  const auto count = static_cast<int>(like.size());
  return mx::reshape(mx::slice(mx::reshape(blocks, {-1}), {0}, {count}), like.shape());
}

Blocks quantized(const mx::array& x) {
  const mx::array blocks = in_blocks(x);
  const mx::array scales = scaled(mx::max(mx::abs(blocks), 1, true), 1.0f / 127.0f);
  const mx::array safe = mx::where(mx::equal(scales, mx::array(0.0f)), mx::array(1.0f), scales);
  const mx::array codes = mx::astype(mx::round(mx::divide(blocks, safe)), mx::int8);
  return {out_of_blocks(codes, x), mx::squeeze(scales, 1)};
}

mx::array dequantized(const mx::array& codes, const mx::array& scales) {
  const mx::array blocks = in_blocks(mx::astype(codes, mx::float32));
  return out_of_blocks(mx::multiply(blocks, mx::expand_dims(scales, 1)), codes);
}

mx::array decayed(const TensorUpdate& t) {
  return scaled(t.parameter, 1.0f - t.learning_rate * t.weight_decay);
}

UpdatedTensor adamw(const TensorUpdate& t, const mx::array& g, const AdamwRule& rule) {
  const auto step = static_cast<float>(rule.step);
  const mx::array m = averaged(t.state[0], g, rule.beta1);
  const mx::array v = averaged(t.state[1], mx::square(g), rule.beta2);
  const mx::array second = mx::divide(v, mx::array(1.0f - std::pow(rule.beta2, step)));
  const mx::array change = mx::divide(mx::divide(m, mx::array(1.0f - std::pow(rule.beta1, step))),
                                      mx::add(mx::sqrt(second), mx::array(rule.eps)));
  return {mx::subtract(decayed(t), scaled(change, t.learning_rate)), {m, v}};
}

UpdatedTensor update(const TensorUpdate& t, const mx::array& g, const AdamwRule& rule) {
  return adamw(t, g, rule);
}

UpdatedTensor update(const TensorUpdate& t, const mx::array& g, const Adamw8bitRule& rule) {
  TensorUpdate whole = t;
  whole.state = {dequantized(t.state[0], t.state[1]), t.state[2]};
  UpdatedTensor updated = adamw(whole, g, rule.adamw);
  Blocks first = quantized(updated.state[0]);
  updated.state = {first.codes, first.scales, updated.state[1]};
  return updated;
}

UpdatedTensor update(const TensorUpdate& t, const mx::array& g, const LionRule& rule) {
  const mx::array direction = mx::sign(averaged(t.state[0], g, rule.beta1));
  return {mx::subtract(decayed(t), scaled(direction, t.learning_rate)),
          {averaged(t.state[0], g, rule.beta2)}};
}

UpdatedTensor update(const TensorUpdate& t, const mx::array& gradient, const SgdRule& rule) {
  const mx::array g = mx::add(gradient, scaled(t.parameter, t.weight_decay));
  if (t.state.empty()) return {mx::subtract(t.parameter, scaled(g, t.learning_rate)), {}};
  const mx::array m = mx::add(scaled(t.state[0], rule.momentum), g);
  const mx::array change = rule.nesterov ? mx::add(g, scaled(m, rule.momentum)) : m;
  return {mx::subtract(t.parameter, scaled(change, t.learning_rate)), {m}};
}

}  // namespace

mx::array gradient_norm(std::span<const mx::array> gradients, float scale) {
  mx::array total = mx::array(0.0f);
  for (const mx::array& gradient : gradients)
    total = mx::add(total, mx::sum(mx::square(mx::astype(gradient, mx::float32))));
  return scaled(mx::sqrt(total), scale);
}

std::vector<UpdatedTensor> optimizer_update(const std::vector<TensorUpdate>& tensors,
                                            const UpdateRule& rule,
                                            const GradientScaling& scaling) {
  const mx::array factor = gradient_factor(scaling), finite = mx::isfinite(scaling.norm);
  std::vector<UpdatedTensor> result;
  for (const TensorUpdate& t : tensors) {
    const mx::array g = mx::multiply(mx::astype(t.gradient, mx::float32), factor);
    UpdatedTensor updated =
        std::visit([&](const auto& particular) { return update(t, g, particular); }, rule);
    const mx::array moved = mx::astype(updated.parameter, t.parameter.dtype());
    updated.parameter = mx::where(finite, moved, t.parameter);
    for (size_t i = 0; i < updated.state.size(); ++i)
      updated.state[i] = mx::where(finite, updated.state[i], t.state[i]);
    result.push_back(std::move(updated));
  }
  return result;
}

std::vector<mx::array> add_gradients(std::span<const mx::array> sums,
                                     std::span<const mx::array> gradients) {
  std::vector<mx::array> result;
  for (size_t i = 0; i < sums.size(); ++i) result.push_back(mx::add(sums[i], gradients[i]));
  return result;
}

}  // namespace toolkit::tensor::plain
