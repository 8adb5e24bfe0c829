#include "models/kv_cache.h"

#include "core/base/error.h"
#include "core/tensor/cache_append.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::models {

KvCache::KvCache(const DecoderConfig& config, int batch)
    : batch_(batch), heads_(config.num_kv_heads), width_(config.head_dim) {
  const mx::array empty = mx::zeros({batch_, 0, heads_, width_}, mx::float32);
  layers_.assign(config.layers.size(), Buffers{empty, empty});
}

void KvCache::reserve(int tokens) {
  if (tokens <= capacity_) return;
  const int capacity = (tokens + kStep - 1) / kStep * kStep;
  std::vector<mx::array> grown;
  for (Buffers& layer : layers_) {
    for (mx::array* buffer : {&layer.keys, &layer.values}) {
      *buffer = tensor::cache_grow(*buffer, length_, capacity);
      grown.push_back(*buffer);
    }
  }
  mx::eval(grown);
  capacity_ = capacity;
}

std::pair<mx::array, mx::array> KvCache::append(int layer, const mx::array& keys,
                                                const mx::array& values) {
  reserve(length_ + keys.shape(1));
  Buffers& buffers = layers_.at(static_cast<size_t>(layer));
  if (length_ == 0 && buffers.keys.dtype() != keys.dtype())
    buffers = {mx::astype(buffers.keys, keys.dtype()), mx::astype(buffers.values, keys.dtype())};
  return tensor::cache_append(buffers.keys, buffers.values, keys, values, length_);
}

void KvCache::advance(int tokens) {
  length_ += tokens;
}

void KvCache::truncate(int tokens) {
  if (tokens < 0 || tokens > length_)
    fail(ErrorKind::kInternal, "cannot keep {} of {} cached tokens", tokens, length_);
  length_ = tokens;
}

float* KvCache::keys(int layer) {
  mx::array& buffer = layers_.at(static_cast<size_t>(layer)).keys;
  buffer.eval();
  return buffer.data<float>();
}

float* KvCache::values(int layer) {
  mx::array& buffer = layers_.at(static_cast<size_t>(layer)).values;
  buffer.eval();
  return buffer.data<float>();
}

}  // namespace toolkit::models
