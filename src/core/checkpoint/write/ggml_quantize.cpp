#include "core/checkpoint/write/ggml_quantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/checkpoint/ggml_types.h"
#include "core/checkpoint/half.h"

namespace toolkit::checkpoint {

namespace {

constexpr int kBlock = 32;

/// 1 / scale; 0 where that is no number, so that every quant is that of zero.
float inverse(float scale) {
  const float result = 1.0f / scale;
  return scale == 0.0f || !std::isfinite(result) ? 0.0f : result;
}

bool put_half(float value, uint8_t* to) {
  const uint16_t half = half_from_float(value);
  std::memcpy(to, &half, 2);
  return half_is_finite(half);
}

/// Value j in the low half of byte j, value j + 16 in the high half.
template <class Quant>
void put_nibbles(const float* values, uint8_t* to, const Quant& quant) {
  for (int j = 0; j < kBlock / 2; ++j)
    to[j] = static_cast<uint8_t>(quant(values[j]) | (quant(values[j + kBlock / 2]) << 4));
}

unsigned nibble(float value) {
  return static_cast<unsigned>(std::clamp(static_cast<int>(value), 0, 15));
}

bool quantize_q8_0(const float* values, uint8_t* block) {
  float largest = 0.0f;
  for (int j = 0; j < kBlock; ++j) largest = std::max(largest, std::abs(values[j]));
  const float scale = largest / 127.0f, by = inverse(scale);
  for (int j = 0; j < kBlock; ++j)
    block[2 + j] = static_cast<uint8_t>(static_cast<int8_t>(std::round(values[j] * by)));
  return put_half(scale, block);
}

bool quantize_q4_0(const float* values, uint8_t* block) {
  float furthest = values[0];  // from zero, with its sign
  for (int j = 1; j < kBlock; ++j)
    if (std::abs(values[j]) > std::abs(furthest)) furthest = values[j];
  const float scale = furthest / -8.0f, by = inverse(scale);
  put_nibbles(values, block + 2, [&](float value) { return nibble(value * by + 8.5f); });
  return put_half(scale, block);
}

bool quantize_q4_1(const float* values, uint8_t* block) {
  const auto [low, high] = std::minmax_element(values, values + kBlock);
  const float least = *low, scale = (*high - least) / 15.0f, by = inverse(scale);
  put_nibbles(values, block + 4, [&](float value) { return nibble((value - least) * by + 0.5f); });
  const bool fits = put_half(scale, block);
  return put_half(least, block + 2) && fits;
}

}  // namespace

bool quantize_blocks(uint32_t type, const float* values, uint64_t block_count, uint8_t* blocks) {
  const uint32_t block_bytes = find_ggml_type(type)->block_bytes;
  bool finite = true;
  for (uint64_t i = 0; i < block_count; ++i, values += kBlock, blocks += block_bytes) {
    bool numbers = true;
    for (int j = 0; j < kBlock; ++j) numbers = numbers && std::isfinite(values[j]);
    if (!numbers) return false;
    finite = (type == kGgmlQ8_0   ? quantize_q8_0(values, blocks)
              : type == kGgmlQ4_0 ? quantize_q4_0(values, blocks)
                                  : quantize_q4_1(values, blocks)) &&
             finite;
  }
  return finite;
}

}  // namespace toolkit::checkpoint
