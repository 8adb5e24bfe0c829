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

}  // namespace toolkit::tensor::plain
