#include "core/tensor/cpu/fixed_gemm.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include "core/tensor/cpu/gemv_fixed.h"
#include "core/tensor/cpu/kernel_target.h"
#include "core/tensor/cpu/scratch.h"
#include "core/tensor/cpu/thread_pool.h"
#include "core/tensor/cpu/vnni.h"

namespace toolkit::tensor::cpu {

#if defined(__x86_64__)

namespace {

constexpr int64_t kBlockRows = 16;  // of a weight: one of them in each lane
constexpr int64_t kTileInputs = 8;  // whose sums stay in registers
constexpr float kLargest = 127 * 256;

/// Inputs in tiles of up to eight. `digits` holds, for every quad of columns, of each input of the
/// tile four bytes d0 and four bytes d1; of 4-bit weights the quads are the even and the odd
/// columns of every eight. `scales` holds, for every group, of each input its scale, then of each
/// the sum of its elements.
struct FixedInputs {
  int8_t* digits;
  float* scales;
  int64_t count, columns, groups;

  int64_t tiles() const { return (count + kTileInputs - 1) / kTileInputs; }
  int64_t begin(int64_t tile) const { return count * tile / tiles(); }
  int64_t tile_of(int64_t input) const {
    int64_t tile = input / kTileInputs;
    while (begin(tile + 1) <= input) ++tile;
    return tile;
  }
};

TOOLKIT_VNNI inline __mmask16 first_lanes(int64_t count) {
  return count >= 16 ? __mmask16{0xffff} : static_cast<__mmask16>((1u << count) - 1);
}

/// 16 scales or biases.
TOOLKIT_VNNI inline __m512 load_floats(const uint8_t* data, FloatType type) {
  if (type == FloatType::kFloat32) return _mm512_loadu_ps(data);
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data));
  if (type == FloatType::kFloat16) return _mm512_cvtph_ps(half);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

using Quad [[gnu::may_alias]] = int32_t;

/// As assembly: g++ 12 copies and spills the sums around its own intrinsic.
TOOLKIT_VNNI inline void add_products(__m512i& sum, __m512i weights, const int8_t* digits) {
  asm("vpdpbusd %2%{1to16%}, %1, %0"
      : "+v"(sum)
      : "v"(weights), "m"(*reinterpret_cast<const Quad*>(digits)));
}

/// 16 rows against the kInputs inputs of a tile. Few inputs would wait for their own sums: these
/// are kept in kParts parts.
template <int kBits, int kInputs>
TOOLKIT_VNNI void multiply_tile(const ArrangedWeight& weight, const uint8_t* block,
                                const int8_t* digits, const float* scales, __m512* sums) {
  constexpr int kParts = kInputs == 1 ? 4 : kInputs <= 3 ? 2 : 1;
  constexpr int kQuads = kBits == 4 ? 2 : 1;  // in a word of 16 rows
  constexpr int kWords = kParts > kQuads ? kParts / kQuads : 1;
  constexpr int64_t kAhead = 4096;  // bytes that are asked for before they are used
  const __m512i nibbles = _mm512_set1_epi8(15);
  const int64_t words = weight.group_size * kBits / 32, groups = weight.columns / weight.group_size,
                float_bytes = weight.type == FloatType::kFloat32 ? 64 : 32;
  __m512 sum[kInputs];
#pragma GCC unroll 8
  for (int i = 0; i < kInputs; ++i) sum[i] = _mm512_setzero_ps();
  for (int64_t g = 0; g < groups; ++g) {
    const __m512 scale = load_floats(block, weight.type),
                 bias = load_floats(block + float_bytes, weight.type);
    _mm_prefetch(block + kAhead, _MM_HINT_T0);
    block += 2 * float_bytes;
    __m512i high[kParts][kInputs], low[kParts][kInputs];
#pragma GCC unroll 4
    for (int p = 0; p < kParts; ++p)
#pragma GCC unroll 8
      for (int i = 0; i < kInputs; ++i) high[p][i] = low[p][i] = _mm512_setzero_si512();
    for (int64_t w = 0; w < words; w += kWords) {
#pragma GCC unroll 4
      for (int v = 0; v < kWords; ++v) {
        const __m512i word = _mm512_loadu_si512(block);
        _mm_prefetch(block + kAhead, _MM_HINT_T0);
        block += 64;
#pragma GCC unroll 2
        for (int q = 0; q < kQuads; ++q) {
          const int p = (kQuads * v + q) % kParts;
          __m512i quad = word;
          if constexpr (kBits == 4)
            quad = _mm512_and_si512(q == 0 ? word : _mm512_srli_epi16(word, 4), nibbles);
#pragma GCC unroll 8
          for (int i = 0; i < kInputs; ++i) {
            add_products(high[p][i], quad, digits + 8 * i);
            add_products(low[p][i], quad, digits + 8 * i + 4);
          }
          digits += 8 * kInputs;
        }
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < kInputs; ++i) {
#pragma GCC unroll 4
      for (int p = 1; p < kParts; ++p) {
        high[0][i] = _mm512_add_epi32(high[0][i], high[p][i]);
        low[0][i] = _mm512_add_epi32(low[0][i], low[p][i]);
      }
      const __m512i total = _mm512_add_epi32(_mm512_slli_epi32(high[0][i], 8), low[0][i]);
      sum[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(total),
                               _mm512_mul_ps(scale, _mm512_set1_ps(scales[i])), sum[i]);
      sum[i] = _mm512_fmadd_ps(bias, _mm512_set1_ps(scales[kInputs + i]), sum[i]);
    }
    scales += 2 * kInputs;
  }
#pragma GCC unroll 8
  for (int i = 0; i < kInputs; ++i) sums[i] = sum[i];
}

using Tile = void (*)(const ArrangedWeight&, const uint8_t*, const int8_t*, const float*, __m512*);
template <int kBits>
constexpr Tile kTiles[] = {multiply_tile<kBits, 1>, multiply_tile<kBits, 2>,
                           multiply_tile<kBits, 3>, multiply_tile<kBits, 4>,
                           multiply_tile<kBits, 5>, multiply_tile<kBits, 6>,
                           multiply_tile<kBits, 7>, multiply_tile<kBits, 8>};

TOOLKIT_VNNI void run_block(const FixedMap& map, int64_t block, const FixedInputs& inputs) {
  const ArrangedWeight& weight = *map.weight;
  const int64_t row = block * kBlockRows;
  const __mmask16 mask = first_lanes(weight.rows - row);
  for (int64_t t = 0; t < inputs.tiles(); ++t) {
    const int64_t first = inputs.begin(t), count = inputs.begin(t + 1) - first;
    __m512 sums[kTileInputs];
    const Tile tile = weight.bits == 4 ? kTiles<4>[count - 1] : kTiles<8>[count - 1];
    tile(weight, weight.block(block), inputs.digits + 2 * first * inputs.columns,
         inputs.scales + 2 * first * inputs.groups, sums);
    for (int64_t i = 0; i < count; ++i)
      _mm512_mask_storeu_ps(map.y + (first + i) * map.y_stride + row, mask, sums[i]);
  }
}

/// Two digits of 32 numbers, as bytes.
struct Digits {
  __m256i high, low;
};

TOOLKIT_VNNI inline Digits split(const float* x, float inverse) {
  const __m512 factor = _mm512_set1_ps(inverse);
  const __m512i half = _mm512_set1_epi32(128);
  const __m512i a = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x), factor)),
                b = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + 16), factor));
  const __m512i a0 = _mm512_srai_epi32(_mm512_add_epi32(a, half), 8),
                b0 = _mm512_srai_epi32(_mm512_add_epi32(b, half), 8);
  return {_mm256_set_m128i(_mm512_cvtepi32_epi8(b0), _mm512_cvtepi32_epi8(a0)),
          _mm256_set_m128i(_mm512_cvtepi32_epi8(b), _mm512_cvtepi32_epi8(a))};
}

TOOLKIT_VNNI inline void store_quad(int8_t* to, __m128i digits, int which) {
  const int64_t eight = which == 0 ? _mm_cvtsi128_si64(digits) : _mm_extract_epi64(digits, 1);
  __builtin_memcpy(to, &eight, 8);
}

/// 32 columns of one input; the tile's inputs lie `stride` bytes apart in each quad.
TOOLKIT_VNNI inline void store_digits(const Digits& digits, int bits, int64_t stride, int8_t* to) {
  __m256i high = digits.high, low = digits.low;
  if (bits == 4) {
    const __m256i even_odd = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15));
    high = _mm256_shuffle_epi8(high, even_odd);
    low = _mm256_shuffle_epi8(low, even_odd);
  }
  const __m256i first = _mm256_unpacklo_epi32(high, low), second = _mm256_unpackhi_epi32(high, low);
  for (int lane = 0; lane < 2; ++lane) {
    const __m128i a = lane == 0 ? _mm256_castsi256_si128(first)
                                : _mm256_extracti128_si256(first, 1),
                  b = lane == 0 ? _mm256_castsi256_si128(second)
                                : _mm256_extracti128_si256(second, 1);
    store_quad(to, a, 0);
    store_quad(to + stride, a, 1);
    store_quad(to + 2 * stride, b, 0);
    store_quad(to + 3 * stride, b, 1);
    to += 4 * stride;
  }
}

TOOLKIT_VNNI void arrange_input(const float* x, const ArrangedWeight& weight, int64_t input,
                                const FixedInputs& inputs) {
  const int64_t tile = inputs.tile_of(input), first = inputs.begin(tile),
                together = inputs.begin(tile + 1) - first, size = weight.group_size;
  int8_t* digits = inputs.digits + 2 * first * inputs.columns + 8 * (input - first);
  float* scales = inputs.scales + 2 * first * inputs.groups + (input - first);
  for (int64_t g = 0; g < inputs.groups; ++g, x += size, scales += 2 * together) {
    __m512 sum = _mm512_setzero_ps(), largest = sum;
    for (int64_t j = 0; j < size; j += 16) {
      const __m512 values = _mm512_loadu_ps(x + j);
      sum = _mm512_add_ps(sum, values);
      largest = _mm512_max_ps(largest, _mm512_abs_ps(values));
    }
    const float top = _mm512_reduce_max_ps(largest);
    // NaN and Inf reach the result through the sum.
    const bool usable = top > 1e-30f && top <= std::numeric_limits<float>::max();
    scales[0] = usable ? top / kLargest : 0.0f;
    scales[together] = _mm512_reduce_add_ps(sum);
    for (int64_t j = 0; j < size; j += 32, digits += 64 * together)
      store_digits(split(x + j, usable ? kLargest / top : 0.0f), weight.bits, 8 * together, digits);
  }
}

FixedInputs arrange_inputs(const float* x, int64_t count, const ArrangedWeight& weight) {
  const int64_t columns = weight.columns, groups = columns / weight.group_size;
  const int64_t digit_bytes = (2 * count * columns + 63) / 64 * 64;
  int8_t* digits =
      scratch<int8_t>(Scratch::kQuantized, static_cast<size_t>(digit_bytes + 8 * count * groups));
  const FixedInputs inputs{digits, reinterpret_cast<float*>(digits + digit_bytes), count, columns,
                           groups};
  parallel_for(count, 2, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) arrange_input(x + i * columns, weight, i, inputs);
  });
  return inputs;
}

}  // namespace

std::shared_ptr<const ArrangedWeight> arrange_weight(const WeightView& weight) {
  const std::string target = kernel_target();
  if (!weight.quantized() || !has_fixed_kernels() || (target != "AVX3" && target != "AMX"))
    return nullptr;
  return std::make_shared<ArrangedWeight>(weight);
}

void fixed_gemm(const float* x, int64_t count, std::span<const FixedMap> maps) {
  if (count <= 0 || maps.empty()) return;
  const FixedInputs inputs = arrange_inputs(x, count, *maps[0].weight);
  const auto blocks = [](const FixedMap& map) {
    return (map.weight->rows + kBlockRows - 1) / kBlockRows;
  };
  int64_t total = 0;
  for (const FixedMap& map : maps) total += blocks(map);
  // Small pieces cost more to hand out than to compute.
  const int64_t grain =
      std::max<int64_t>(1, 32768 / (maps[0].weight->columns * kBlockRows * count));
  parallel_for(total, grain, [&](int64_t begin, int64_t end, int) {
    int64_t first = 0;
    for (const FixedMap& map : maps) {
      const int64_t from = std::max<int64_t>(begin - first, 0),
                    to = std::min(end - first, blocks(map));
      for (int64_t block = from; block < to; ++block) run_block(map, block, inputs);
      first += blocks(map);
    }
  });
}

#else

std::shared_ptr<const ArrangedWeight> arrange_weight(const WeightView&) {
  return nullptr;
}

void fixed_gemm(const float*, int64_t, std::span<const FixedMap>) {}

#endif

namespace {

int64_t float_bytes(FloatType type) {
  return type == FloatType::kFloat32 ? 4 : 2;
}

}  // namespace

ArrangedWeight::ArrangedWeight(const WeightView& weight)
    : rows(weight.rows),
      columns(weight.columns),
      group_size(weight.group_size),
      bits(weight.bits),
      type(weight.type),
      group_bytes(2 * 16 * float_bytes(type) + int64_t{2} * group_size * bits),
      block_bytes(columns / group_size * group_bytes),
      bytes_((rows + 15) / 16 * block_bytes / 4) {
  const int64_t groups = weight.groups(), size = float_bytes(type),
                words = weight.words_per_row() / groups;
  const auto copy = [&](const void* from, int64_t index, int64_t bytes, uint8_t*& to) {
    std::memcpy(to, static_cast<const uint8_t*>(from) + index * bytes, static_cast<size_t>(bytes));
    to += bytes;
  };
  parallel_for((rows + 15) / 16, 1, [&](int64_t begin, int64_t end, int) {
    uint8_t* to = reinterpret_cast<uint8_t*>(bytes_.data()) + begin * block_bytes;
    for (int64_t first = 16 * begin; first < 16 * end; first += 16) {
      // Missing rows are the last one's copies.
      const auto row = [&](int64_t r) { return std::min(first + r, rows - 1); };
      for (int64_t g = 0; g < groups; ++g) {
        for (int64_t r = 0; r < 16; ++r) copy(weight.scales, row(r) * groups + g, size, to);
        for (int64_t r = 0; r < 16; ++r) copy(weight.biases, row(r) * groups + g, size, to);
        for (int64_t w = g * words; w < (g + 1) * words; ++w)
          for (int64_t r = 0; r < 16; ++r) copy(weight.data, row(r) * groups * words + w, 4, to);
      }
    }
  });
}

}  // namespace toolkit::tensor::cpu
