#include "core/tensor/plain/optimizer.h"

#include <cmath>

#include "core/tensor/plain/fused.h"
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

// Inputs of the functions below.
enum AdamwInput {
  kParameter,
  kGradient,
  kFirst,
  kSecond,
  kRate,
  kDecayed,
  kBeta1,
  kRest1,
  kBeta2,
  kRest2,
  kCorrection1,
  kCorrection2,
  kEps,
  kFactor,
  kFinite
};

Arrays adamw_inputs(const TensorUpdate& t, const mx::array& gradient, const mx::array& first,
                    const mx::array& second, const AdamwRule& rule) {
  const auto step = static_cast<float>(rule.step);
  Arrays inputs = {t.parameter, gradient, first, second};
  for (const float number :
       {t.learning_rate, 1.0f - t.learning_rate * t.weight_decay, rule.beta1, 1.0f - rule.beta1,
        rule.beta2, 1.0f - rule.beta2, 1.0f - std::pow(rule.beta1, step),
        1.0f - std::pow(rule.beta2, step), rule.eps})
    inputs.emplace_back(number);
  return inputs;
}

// New parameter, first and second moment.
Arrays adamw(const Arrays& in, const mx::array& g) {
  const mx::array m = mx::add(mx::multiply(in[kFirst], in[kBeta1]), mx::multiply(g, in[kRest1]));
  const mx::array v =
      mx::add(mx::multiply(in[kSecond], in[kBeta2]), mx::multiply(mx::square(g), in[kRest2]));
  const mx::array second = mx::divide(v, in[kCorrection2]);
  const mx::array change =
      mx::divide(mx::divide(m, in[kCorrection1]), mx::add(mx::sqrt(second), in[kEps]));
  const mx::array kept = mx::multiply(in[kParameter], in[kDecayed]);
  return {mx::subtract(kept, mx::multiply(change, in[kRate])), m, v};
}

// All of a step, the old values where the gradient's norm is no number.
Arrays adamw_step(const Arrays& in) {
  const mx::array g = mx::multiply(mx::astype(in[kGradient], mx::float32), in[kFactor]);
  const Arrays updated = adamw(in, g);
  return {mx::where(in[kFinite], mx::astype(updated[0], in[kParameter].dtype()), in[kParameter]),
          mx::where(in[kFinite], updated[1], in[kFirst]),
          mx::where(in[kFinite], updated[2], in[kSecond])};
}

UpdatedTensor adamw_update(const TensorUpdate& t, const AdamwRule& rule, const mx::array& factor,
                           const mx::array& finite) {
  static const Fused fused(adamw_step);
  Arrays inputs = adamw_inputs(t, t.gradient, t.state[0], t.state[1], rule);
  inputs.insert(inputs.end(), {factor, finite});
  const Arrays updated = fused(inputs);
  return {updated[0], {updated[1], updated[2]}};
}

UpdatedTensor update(const TensorUpdate& t, const mx::array& g, const Adamw8bitRule& rule) {
  const mx::array first = dequantized(t.state[0], t.state[1]);
  const Arrays updated = adamw(adamw_inputs(t, g, first, t.state[2], rule.adamw), g);
  const Blocks moment = quantized(updated[1]);
  return {updated[0], {moment.codes, moment.scales, updated[2]}};
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

UpdatedTensor other_update(const TensorUpdate& t, const mx::array& g, const UpdateRule& rule) {
  if (const auto* adamw8bit = std::get_if<Adamw8bitRule>(&rule)) return update(t, g, *adamw8bit);
  if (const auto* lion = std::get_if<LionRule>(&rule)) return update(t, g, *lion);
  return update(t, g, std::get<SgdRule>(rule));
}

}  // namespace

mx::array gradient_norm(std::span<const mx::array> gradients, float scale) {
  Arrays squares = {mx::array({0.0f})};
  for (const mx::array& gradient : gradients) {
    const mx::array flat = mx::reshape(mx::astype(gradient, mx::float32), {1, -1});
    squares.push_back(mx::reshape(mx::matmul(flat, mx::transpose(flat)), {1}));
  }
  return scaled(mx::sqrt(mx::sum(mx::concatenate(squares, 0))), scale);
}

std::vector<UpdatedTensor> optimizer_update(const std::vector<TensorUpdate>& tensors,
                                            const UpdateRule& rule,
                                            const GradientScaling& scaling) {
  const mx::array factor = gradient_factor(scaling), finite = mx::isfinite(scaling.norm);
  std::vector<UpdatedTensor> result;
  for (const TensorUpdate& t : tensors) {
    if (const auto* adamw = std::get_if<AdamwRule>(&rule)) {
      result.push_back(adamw_update(t, *adamw, factor, finite));
      continue;
    }
    const mx::array g = mx::multiply(mx::astype(t.gradient, mx::float32), factor);
    UpdatedTensor updated = other_update(t, g, rule);
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
