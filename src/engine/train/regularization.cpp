#include "engine/train/regularization.h"

#include <algorithm>
#include <cmath>

#include "core/base/random.h"
#include "mlx/ops.h"
#include "mlx/random.h"

namespace toolkit::engine {

namespace {

// Two uses of one seed and draw.
constexpr uint64_t kDropoutStream = 0x64726f70, kNoiseStream = 0x6e6f6973;

Random numbers(const Regularization& regularization, uint64_t stream, int64_t draw) {
  return Random(Random(regularization.seed, stream).next(), static_cast<uint64_t>(draw));
}

/// (rows, length): how many tokens the sample of each place has, its shared beginning included; 1
/// where padded.
std::vector<float> sample_lengths(const data::PackedBatch& batch) {
  std::vector<float> lengths(batch.segments.size(), 1.0f);
  const size_t row_length = static_cast<size_t>(batch.length);
  for (size_t row = 0; row < batch.segments.size(); row += row_length) {
    const auto first = batch.segments.begin() + static_cast<std::ptrdiff_t>(row);
    const auto last = first + batch.length;
    std::vector<int> counts(static_cast<size_t>(std::max(0, *std::max_element(first, last) + 1)));
    for (size_t i = 1; i < counts.size(); ++i) counts[i] = batch.prefix;
    for (auto at = first; at != last; ++at)
      if (*at >= 0) ++counts[static_cast<size_t>(*at)];
    for (size_t i = 0; i < row_length; ++i)
      if (const int segment = batch.segments[row + i]; segment >= 0)
        lengths[row + i] = static_cast<float>(counts[static_cast<size_t>(segment)]);
  }
  return lengths;
}

}  // namespace

BranchDropout::BranchDropout(models::Decoder& model, const Regularization& regularization,
                             int64_t draw) {
  if (regularization.dropout == 0.0f) return;
  Random keys = numbers(regularization, kDropoutStream, draw);
  for (const auto& [path, layer] : model.linears()) {
    const uint64_t key = keys.next();
    if (!layer->lora) continue;
    layer->lora->dropout = regularization.dropout;
    layer->lora->dropout_key = key;
    layers_.push_back(layer);
  }
}

BranchDropout::~BranchDropout() {
  for (nn::Linear* layer : layers_)
    if (layer->lora) layer->lora->dropout = 0.0f;
}

std::optional<mx::array> embedding_noise(const data::PackedBatch& batch, int width,
                                         const Regularization& regularization, int64_t draw) {
  if (regularization.neftune_alpha == 0.0f) return std::nullopt;
  std::vector<float> bounds = sample_lengths(batch);
  for (float& bound : bounds)
    bound = regularization.neftune_alpha / std::sqrt(bound * static_cast<float>(width));
  const mx::array scale(bounds.data(), {batch.rows, batch.length, 1}, mx::float32);
  const uint64_t key = numbers(regularization, kNoiseStream, draw).next();
  const mx::array noise = mx::random::uniform(-1.0f, 1.0f, {batch.rows, batch.length, width},
                                              mx::float32, mx::random::key(key));
  return mx::multiply(noise, scale);
}

}  // namespace toolkit::engine
