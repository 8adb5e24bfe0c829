#pragma once

#include <bit>
#include <cstdint>

namespace toolkit::checkpoint {

/// IEEE 754 binary16 from and to f32, in plain integer arithmetic (the base instruction sets have
/// no such conversion, and the compiler's fallback is a call per value).
inline float float_from_half(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t rest = half & 0x7FFFu;
  if (rest >= 0x7C00u) return std::bit_cast<float>(sign | (rest << 13) | 0x7F800000u);
  // Shifted into place the exponent is 112 too small; one exact multiplication mends that and
  // subnormals.
  const float magnitude = std::bit_cast<float>(rest << 13) * 0x1p112f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}

/// Rounds to nearest, ties to even; too large becomes infinity.
inline uint16_t half_from_float(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  // Adding 0.5 lets the addition itself round to the step of subnormal halves, 2^-24.
  const uint32_t small =
      std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3F000000u;
  const uint32_t normal = (magnitude - 0x38000000u + 0x0FFFu + ((magnitude >> 13) & 1u)) >> 13;
  const uint32_t large = magnitude > 0x7F800000u ? 0x7E00u : 0x7C00u;
  const uint32_t rounded = magnitude < 0x38800000u   ? small
                           : magnitude < 0x477FF000u ? normal
                                                     : large;
  return static_cast<uint16_t>(sign | rounded);
}

/// Neither infinite nor NaN.
inline bool half_is_finite(uint16_t half) {
  return (half & 0x7C00u) != 0x7C00u;
}

}  // namespace toolkit::checkpoint
