#include <cmath>

#include "core/tensor/plain/plain.h"
#include "mlx/mlx.h"

namespace toolkit::tensor::plain {

mx::array linear_cross_entropy(const mx::array& hidden, const LinearTerms& head,
                               const mx::array& targets, const CrossEntropyOptions& options) {
  const auto chunk_loss = [options](const LinearTerms& map, const mx::array& rows,
                                    const mx::array& ids) {
    mx::array logits = mx::astype(linear_group(rows, {&map, 1})[0], mx::float32);
    if (options.logit_scale != 1.0f) logits = mx::multiply(logits, mx::array(options.logit_scale));
    if (options.softcap != 0.0f)
      logits = mx::multiply(mx::tanh(mx::divide(logits, mx::array(options.softcap))),
                            mx::array(options.softcap));
    const mx::array picked =
        mx::squeeze(mx::take_along_axis(logits, mx::expand_dims(ids, 1), 1), 1);
    const mx::array normalizer = mx::logsumexp(logits, 1);
    if (options.label_smoothing == 0.0f) return mx::subtract(normalizer, picked);
    const float smoothing = options.label_smoothing;
    const mx::array average = mx::mean(logits, 1);
    return mx::subtract(normalizer, mx::add(mx::multiply(picked, mx::array(1.0f - smoothing)),
                                            mx::multiply(average, mx::array(smoothing))));
  };
  // A head that learns would keep the logits of every chunk for its gradient: they are made again.
  const auto recomputed_loss = [&](const mx::array& rows, const mx::array& ids) {
    std::vector<mx::array> inputs = {rows, head.weight->data};
    if (head.bias) inputs.push_back(*head.bias);
    return mx::checkpoint([chunk_loss, ids](const std::vector<mx::array>& given) {
      const Weight weight{.data = given[1]};
      const LinearTerms map{.weight = &weight, .bias = given.size() > 2 ? &given[2] : nullptr};
      return std::vector<mx::array>{chunk_loss(map, given[0], ids)};
    })(inputs)[0];
  };
  const bool learns = !head.lora && !head.weight->quantized() && head.weight->data.is_tracer();
  const int count = hidden.shape(0), width = hidden.shape(1);
  std::vector<mx::array> losses;
  for (int begin = 0; begin < count; begin += options.chunk_tokens) {
    const int end = std::min(count, begin + options.chunk_tokens);
    const mx::array rows = mx::slice(hidden, {begin, 0}, {end, width});
    const mx::array ids = mx::slice(targets, {begin}, {end});
    losses.push_back(learns ? recomputed_loss(rows, ids) : chunk_loss(head, rows, ids));
  }
  return losses.size() == 1 ? losses[0] : mx::concatenate(losses, 0);
}

AdamwResult adamw(std::span<const mx::array> parameters, std::span<const mx::array> gradients,
                  std::span<const mx::array> first_moments,
                  std::span<const mx::array> second_moments, const AdamwStep& step) {
  mx::array total = mx::array(0.0f);
  for (const mx::array& gradient : gradients) total = mx::add(total, mx::sum(mx::square(gradient)));
  const mx::array norm = mx::multiply(mx::sqrt(total), mx::array(step.gradient_scale));
  mx::array factor = mx::array(step.gradient_scale);
  if (step.max_norm > 0.0f)
    factor = mx::multiply(
        factor, mx::minimum(mx::array(1.0f),
                            mx::divide(mx::array(step.max_norm), mx::add(norm, mx::array(1e-6f)))));
  const mx::array finite = mx::isfinite(norm);
  const float correction1 = 1.0f - std::pow(step.beta1, static_cast<float>(step.step));
  const float correction2 = 1.0f - std::pow(step.beta2, static_cast<float>(step.step));
  AdamwResult result{{}, {}, {}, norm};
  for (size_t i = 0; i < parameters.size(); ++i) {
    const mx::array gradient = mx::multiply(gradients[i], factor);
    const mx::array m = mx::add(mx::multiply(first_moments[i], mx::array(step.beta1)),
                                mx::multiply(gradient, mx::array(1.0f - step.beta1)));
    const mx::array v = mx::add(mx::multiply(second_moments[i], mx::array(step.beta2)),
                                mx::multiply(mx::square(gradient), mx::array(1.0f - step.beta2)));
    const mx::array denominator =
        mx::add(mx::sqrt(mx::divide(v, mx::array(correction2))), mx::array(step.eps));
    const mx::array change = mx::divide(mx::divide(m, mx::array(correction1)), denominator);
    const mx::array decayed =
        mx::multiply(parameters[i], mx::array(1.0f - step.learning_rate * step.weight_decay));
    const mx::array moved =
        mx::subtract(decayed, mx::multiply(change, mx::array(step.learning_rate)));
    result.parameters.push_back(mx::where(finite, moved, parameters[i]));
    result.first_moments.push_back(mx::where(finite, m, first_moments[i]));
    result.second_moments.push_back(mx::where(finite, v, second_moments[i]));
  }
  return result;
}

}  // namespace toolkit::tensor::plain
