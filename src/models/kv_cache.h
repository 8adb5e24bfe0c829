#pragma once

#include <utility>
#include <vector>

#include "core/tensor/array_fwd.h"
#include "mlx/array.h"
#include "models/decoder.h"

namespace toolkit::models {

/// Keys and values of the tokens so far. Each layer has one buffer for keys and one for values,
/// each (B, capacity, Hkv, D) f32; a row of it is one token. Buffers grow by kStep tokens and, on
/// the CPU, are written in place.
class KvCache {
 public:
  static constexpr int kStep = 256;

  explicit KvCache(const DecoderConfig& config, int batch = 1);

  /// Tokens in the cache: the position of the next one.
  int length() const { return length_; }

  /// Appends keys and values (B, T, Hkv, D) of one layer; returns all of that layer's so far,
  /// (B, length + T, Hkv, D). Every layer gets the same T; then `advance(T)`.
  std::pair<mx::array, mx::array> append(int layer, const mx::array& keys, const mx::array& values);
  void advance(int tokens);

  /// Room for `tokens` tokens in every layer; what is there stays.
  void reserve(int tokens);
  /// Forgets everything after the first `tokens` tokens.
  void truncate(int tokens);

  int batch() const { return batch_; }
  int capacity() const { return capacity_; }
  /// The buffers themselves, for fused decoding: row t of (capacity, Hkv, D) is token t (B = 1).
  /// Waits until what was appended is there. Valid until the cache grows.
  float* keys(int layer);
  float* values(int layer);

 private:
  struct Buffers {
    mx::array keys, values;
  };
  int batch_, heads_, width_;
  int length_ = 0, capacity_ = 0;
  std::vector<Buffers> layers_;
};

}  // namespace toolkit::models
