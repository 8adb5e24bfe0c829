#pragma once

#include <cstdint>

namespace toolkit::engine {

/// A tokenizer with its merges and a template, by the size of the vocabulary.
inline constexpr int64_t kTokenizerBytesPerToken = 700;
/// Of one element of a matrix that is multiplied in int8: a copy and one of its transpose, a byte
/// each with a scale for 64 of them.
inline constexpr double kInt8CopyBytes = 2 * (1.0 + 4.0 / 64);

}  // namespace toolkit::engine
