#pragma once

#include <cstdint>
#include <optional>

namespace toolkit::checkpoint {

/// a * b and a + b, or nothing where 64 bits are too few.
inline std::optional<uint64_t> checked_multiply(uint64_t a, uint64_t b) {
  uint64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) return std::nullopt;
  return result;
}

inline std::optional<uint64_t> checked_add(uint64_t a, uint64_t b) {
  uint64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) return std::nullopt;
  return result;
}

}  // namespace toolkit::checkpoint
