#include <array>
#include <cstring>

#include "core/checkpoint/ggml_blocks.h"
#include "core/checkpoint/ggml_types.h"
#include "core/checkpoint/half.h"

namespace toolkit::checkpoint {

namespace {

float half_at(const uint8_t* at) {
  uint16_t bits;
  std::memcpy(&bits, at, 2);
  return float_from_half(bits);
}

/// d (f16), 32 high bits, 32 nibbles: d * (q - 16).
void q5_0(const uint8_t* block, float* to) {
  const float d = half_at(block);
  uint32_t high;
  std::memcpy(&high, block + 2, 4);
  const uint8_t* low = block + 6;
  for (int j = 0; j < 16; ++j) {
    const int first = static_cast<int>((low[j] & 0x0Fu) | ((high >> j) & 1u) << 4);
    const int second = static_cast<int>((low[j] >> 4) | ((high >> (j + 16)) & 1u) << 4);
    to[j] = d * static_cast<float>(first - 16);
    to[j + 16] = d * static_cast<float>(second - 16);
  }
}

/// d, m (f16), 32 high bits, 32 nibbles: d * q + m.
void q5_1(const uint8_t* block, float* to) {
  const float d = half_at(block), m = half_at(block + 2);
  uint32_t high;
  std::memcpy(&high, block + 4, 4);
  const uint8_t* low = block + 8;
  for (int j = 0; j < 16; ++j) {
    const unsigned first = (low[j] & 0x0Fu) | ((high >> j) & 1u) << 4;
    const unsigned second = (low[j] >> 4) | ((high >> (j + 16)) & 1u) << 4;
    to[j] = d * static_cast<float>(first) + m;
    to[j + 16] = d * static_cast<float>(second) + m;
  }
}

/// 16 bytes of scale and minimum nibbles for groups of 16, 64 bytes of 2-bit quants, d, dmin.
void q2_k(const uint8_t* block, float* to) {
  const uint8_t* scales = block;
  const uint8_t* quants = block + 16;
  const float d = half_at(block + 80), dmin = half_at(block + 82);
  for (int i = 0; i < 256; ++i) {
    const uint8_t both = scales[i / 16];
    const float scale = d * static_cast<float>(both & 0x0F),
                least = dmin * static_cast<float>(both >> 4);
    const int quant = (quants[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2)) & 3;
    to[i] = scale * static_cast<float>(quant) - least;
  }
}

/// 32 bytes of high bits, 64 bytes of low 2 bits, 12 bytes of 6-bit scales for groups of 16, d.
void q3_k(const uint8_t* block, float* to) {
  const uint8_t* high = block;
  const uint8_t* quants = block + 32;
  const uint8_t* packed = block + 96;
  const float d = half_at(block + 108);
  std::array<float, 16> scales;
  for (int g = 0; g < 16; ++g) {
    const int low = (packed[g % 8] >> (g / 8 * 4)) & 0x0F;
    const int top = (packed[8 + g % 4] >> (g / 4 * 2)) & 3;
    scales[static_cast<size_t>(g)] = d * static_cast<float>((low | top << 4) - 32);
  }
  for (int i = 0; i < 256; ++i) {
    const int quant = (quants[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2)) & 3;
    const int subtract = (high[i % 32] >> (i / 32)) & 1 ? 0 : 4;
    to[i] = scales[static_cast<size_t>(i / 16)] * static_cast<float>(quant - subtract);
  }
}

/// The 6-bit scale and minimum of group g of 8 in Q4_K's and Q5_K's 12 bytes.
void scale_and_minimum(const uint8_t* packed, int g, int& scale, int& least) {
  if (g < 4) {
    scale = packed[g] & 0x3F;
    least = packed[g + 4] & 0x3F;
  } else {
    scale = (packed[g + 4] & 0x0F) | (packed[g - 4] >> 6) << 4;
    least = packed[g + 4] >> 4 | (packed[g] >> 6) << 4;
  }
}

/// d, dmin, 12 bytes of scales and minima for groups of 32, [32 bytes of high bits,] 128 of
/// nibbles.
void q4_or_q5_k(const uint8_t* block, bool five, float* to) {
  const float d = half_at(block), dmin = half_at(block + 2);
  const uint8_t* packed = block + 4;
  const uint8_t* high = block + 16;
  const uint8_t* quants = five ? block + 48 : block + 16;
  for (int g = 0; g < 8; ++g) {
    int scale, least;
    scale_and_minimum(packed, g, scale, least);
    const float step = d * static_cast<float>(scale), floor = dmin * static_cast<float>(least);
    for (int j = 0; j < 32; ++j) {
      int quant = (quants[g / 2 * 32 + j] >> (g % 2 * 4)) & 0x0F;
      if (five) quant |= ((high[j] >> g) & 1) << 4;
      to[32 * g + j] = step * static_cast<float>(quant) - floor;
    }
  }
}

/// 128 bytes of low nibbles, 64 of high 2 bits, 16 signed scales for groups of 16, d.
void q6_k(const uint8_t* block, float* to) {
  const uint8_t* low = block;
  const uint8_t* high = block + 128;
  const uint8_t* scales = block + 192;
  const float d = half_at(block + 208);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128, within = i % 128;
    const int nibble = (low[64 * half + within % 64] >> (within / 64 * 4)) & 0x0F;
    const int top = (high[32 * half + within % 32] >> (within / 32 * 2)) & 3;
    const float scale = d * static_cast<float>(static_cast<int8_t>(scales[i / 16]));
    to[i] = scale * static_cast<float>((nibble | top << 4) - 32);
  }
}

/// d (f32), 256 signed bytes, sums of groups that reading does not need.
void q8_k(const uint8_t* block, float* to) {
  float d;
  std::memcpy(&d, block, 4);
  for (int i = 0; i < 256; ++i) to[i] = d * static_cast<float>(static_cast<int8_t>(block[4 + i]));
}

constexpr std::array<int8_t, 16> kNonLinear = {-127, -104, -83, -65, -49, -35, -22, -10,
                                               1,    13,   25,  38,  53,  69,  89,  113};

/// d (f16), 32 nibbles that name one of 16 uneven steps.
void iq4_nl(const uint8_t* block, float* to) {
  const float d = half_at(block);
  for (int j = 0; j < 16; ++j) {
    to[j] = d * static_cast<float>(kNonLinear[block[2 + j] & 0x0F]);
    to[j + 16] = d * static_cast<float>(kNonLinear[block[2 + j] >> 4]);
  }
}

/// The same steps with d, 2 high and 4 low bits of a scale for each group of 32.
void iq4_xs(const uint8_t* block, float* to) {
  const float d = half_at(block);
  uint16_t high;
  std::memcpy(&high, block + 2, 2);
  for (int g = 0; g < 8; ++g) {
    const int low = (block[4 + g / 2] >> (g % 2 * 4)) & 0x0F;
    const float scale = d * static_cast<float>((low | ((high >> (2 * g)) & 3) << 4) - 32);
    const uint8_t* quants = block + 8 + 16 * g;
    for (int j = 0; j < 16; ++j) {
      to[32 * g + j] = scale * static_cast<float>(kNonLinear[quants[j] & 0x0F]);
      to[32 * g + j + 16] = scale * static_cast<float>(kNonLinear[quants[j] >> 4]);
    }
  }
}

void block_to_float(uint32_t type, const uint8_t* block, float* to) {
  switch (type) {
    case kGgmlQ5_0:
      return q5_0(block, to);
    case kGgmlQ5_1:
      return q5_1(block, to);
    case kGgmlQ2_K:
      return q2_k(block, to);
    case kGgmlQ3_K:
      return q3_k(block, to);
    case kGgmlQ4_K:
      return q4_or_q5_k(block, false, to);
    case kGgmlQ5_K:
      return q4_or_q5_k(block, true, to);
    case kGgmlQ6_K:
      return q6_k(block, to);
    case kGgmlQ8_K:
      return q8_k(block, to);
    case kGgmlIQ4_NL:
      return iq4_nl(block, to);
    case kGgmlIQ4_XS:
      return iq4_xs(block, to);
    default:
      return;  // has_half_form says which there are
  }
}

}  // namespace

bool has_half_form(uint32_t type) {
  return type == kGgmlQ5_0 || type == kGgmlQ5_1 || (type >= kGgmlQ2_K && type <= kGgmlQ8_K) ||
         type == kGgmlIQ4_NL || type == kGgmlIQ4_XS;
}

bool blocks_to_half(uint32_t type, const uint8_t* blocks, uint64_t block_count, uint16_t* to) {
  const GgmlTypeInfo& info = *find_ggml_type(type);
  std::array<float, 256> values;
  bool finite = true;
  for (uint64_t b = 0; b < block_count; ++b, blocks += info.block_bytes, to += info.block_size) {
    block_to_float(type, blocks, values.data());
    for (uint32_t i = 0; i < info.block_size; ++i) {
      to[i] = half_from_float(values[i]);
      finite = finite && half_is_finite(to[i]);
    }
  }
  return finite;
}

}  // namespace toolkit::checkpoint
