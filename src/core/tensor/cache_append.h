#pragma once

#include <utility>

#include "core/tensor/array_fwd.h"

namespace toolkit::tensor {

/// A buffer of `capacity` rows that starts with the first `length` rows of `buffer`.
///   buffer (B, S, Hkv, D) -> (B, capacity, Hkv, D), row-contiguous
mx::array cache_grow(const mx::array& buffer, int length, int capacity);

/// Writes new keys and values behind the first `offset` rows of their buffers and returns what
/// attention reads.
///   key_buffer, value_buffer  (B, capacity, Hkv, D) f32, row-contiguous; replaced by the written
///   buffers,
///                             which on the CPU are the same memory
///   keys, values              (B, T, Hkv, D), offset + T <= capacity
///   returns                   (B, offset + T, Hkv, D) of both, views of the buffers
std::pair<mx::array, mx::array> cache_append(mx::array& key_buffer, mx::array& value_buffer,
                                             const mx::array& keys, const mx::array& values,
                                             int offset);

}  // namespace toolkit::tensor
