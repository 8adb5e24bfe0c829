#include "core/tensor/cpu/fixed_gemm.h"

#include <algorithm>
#include <limits>

#include "core/tensor/cpu/gemv_fixed.h"
#include "core/tensor/cpu/kernel_target.h"
#include "core/tensor/cpu/scratch.h"
#include "core/tensor/cpu/thread_pool.h"

#if defined(__x86_64__)
#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 takes the "undefined" registers of its own intrinsics for a mistake of ours.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#define TOOLKIT_VNNI \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,f16c,fma")))
#endif

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

/// 16 rows of a weight: every quad of columns as 16 x 4 bytes, scales and biases as (groups, 16).
struct WeightBlock {
  uint8_t* quads;
  float *scales, *biases;
  int64_t groups, quads_per_group;
};

TOOLKIT_VNNI inline void transpose(__m512i* r) {
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const __m512i a = _mm512_shuffle_i32x4(r[j], r[4 + j], 0x88),
                  b = _mm512_shuffle_i32x4(r[j], r[4 + j], 0xdd),
                  c = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0x88),
                  d = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0xdd);
    t[j] = _mm512_shuffle_i32x4(a, c, 0x88);
    t[4 + j] = _mm512_shuffle_i32x4(b, d, 0x88);
    t[8 + j] = _mm512_shuffle_i32x4(a, c, 0xdd);
    t[12 + j] = _mm512_shuffle_i32x4(b, d, 0xdd);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) r[i] = t[i];
}

TOOLKIT_VNNI inline __mmask16 first_lanes(int64_t count) {
  return count >= 16 ? __mmask16{0xffff} : static_cast<__mmask16>((1u << count) - 1);
}

/// Words of 16 rows, `ahead` bytes from where the next ones lie, that are asked for on the way.
template <int kBits>
TOOLKIT_VNNI void transpose_words(const uint8_t* const* rows, int64_t words, int64_t ahead,
                                  uint8_t* out) {
  const __m512i low = _mm512_set1_epi8(15);
  for (int64_t w = 0; w < words; w += 16) {
    const __mmask16 mask = first_lanes(words - w);
    __m512i r[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {
      r[i] = _mm512_maskz_loadu_epi32(mask, rows[i] + 4 * w);
      _mm_prefetch(rows[i] + 4 * w + ahead, _MM_HINT_T0);
    }
    transpose(r);
    const int64_t count = std::min<int64_t>(16, words - w);
    for (int64_t i = 0; i < count; ++i) {
      if constexpr (kBits == 4) {
        _mm512_store_si512(out, _mm512_and_si512(r[i], low));
        _mm512_store_si512(out + 64, _mm512_and_si512(_mm512_srli_epi16(r[i], 4), low));
        out += 128;
      } else {
        _mm512_store_si512(out, r[i]);
        out += 64;
      }
    }
  }
}

TOOLKIT_VNNI inline __m512 load_floats(const void* data, FloatType type, int64_t index,
                                       __mmask16 mask) {
  if (type == FloatType::kFloat32)
    return _mm512_maskz_loadu_ps(mask, static_cast<const float*>(data) + index);
  const __m256i half = _mm256_maskz_loadu_epi16(mask, static_cast<const uint16_t*>(data) + index);
  if (type == FloatType::kFloat16) return _mm512_cvtph_ps(half);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

/// Numbers (rows, groups) of 16 rows as (groups, 16).
TOOLKIT_VNNI void transpose_floats(const void* data, FloatType type, const int64_t* rows,
                                   int64_t groups, float* out) {
  for (int64_t g = 0; g < groups; g += 16) {
    const __mmask16 mask = first_lanes(groups - g);
    __m512i r[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i)
      r[i] = _mm512_castps_si512(load_floats(data, type, rows[i] * groups + g, mask));
    transpose(r);
    const int64_t count = std::min<int64_t>(16, groups - g);
    for (int64_t i = 0; i < count; ++i) _mm512_store_si512(out + (g + i) * 16, r[i]);
  }
}

/// Rows [row, row + 16) in this thread's work buffer; missing rows are the last one's copies.
TOOLKIT_VNNI WeightBlock arrange_block(const WeightView& weight, int64_t row) {
  const int64_t columns = weight.columns, groups = weight.groups();
  uint8_t* quads =
      scratch<uint8_t>(Scratch::kPanel, static_cast<size_t>(16 * columns + 128 * groups));
  float* scales = reinterpret_cast<float*>(quads + 16 * columns);
  const WeightBlock block{quads, scales, scales + 16 * groups, groups, weight.group_size / 4};
  const int64_t row_bytes = weight.words_per_row() * 4;
  const uint8_t* bytes[16];
  int64_t rows[16];
  for (int64_t i = 0; i < 16; ++i) {
    rows[i] = std::min(row + i, weight.rows - 1);
    bytes[i] = static_cast<const uint8_t*>(weight.data) + rows[i] * row_bytes;
  }
  if (weight.bits == 4)
    transpose_words<4>(bytes, weight.words_per_row(), 16 * row_bytes, block.quads);
  else
    transpose_words<8>(bytes, weight.words_per_row(), 16 * row_bytes, block.quads);
  transpose_floats(weight.scales, weight.type, rows, groups, block.scales);
  transpose_floats(weight.biases, weight.type, rows, groups, block.biases);
  return block;
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
template <int kInputs>
TOOLKIT_VNNI void multiply_tile(const WeightBlock& block, const int8_t* digits, const float* scales,
                                __m512* sums) {
  constexpr int kParts = kInputs == 1 ? 4 : kInputs <= 3 ? 2 : 1;
  const uint8_t* quads = block.quads;
  __m512 sum[kInputs];
#pragma GCC unroll 8
  for (int i = 0; i < kInputs; ++i) sum[i] = _mm512_setzero_ps();
  for (int64_t g = 0; g < block.groups; ++g) {
    __m512i high[kParts][kInputs], low[kParts][kInputs];
#pragma GCC unroll 4
    for (int p = 0; p < kParts; ++p)
#pragma GCC unroll 8
      for (int i = 0; i < kInputs; ++i) high[p][i] = low[p][i] = _mm512_setzero_si512();
    for (int64_t q = 0; q < block.quads_per_group; q += kParts) {
#pragma GCC unroll 4
      for (int p = 0; p < kParts; ++p) {
        const __m512i weights = _mm512_load_si512(quads);
#pragma GCC unroll 8
        for (int i = 0; i < kInputs; ++i) {
          add_products(high[p][i], weights, digits + 8 * i);
          add_products(low[p][i], weights, digits + 8 * i + 4);
        }
        quads += 64;
        digits += 8 * kInputs;
      }
    }
    const __m512 scale = _mm512_load_ps(block.scales + 16 * g),
                 bias = _mm512_load_ps(block.biases + 16 * g);
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

TOOLKIT_VNNI void run_block(const RowsMap& map, int64_t row, const FixedInputs& inputs) {
  using Tile = void (*)(const WeightBlock&, const int8_t*, const float*, __m512*);
  static constexpr Tile kTiles[] = {multiply_tile<1>, multiply_tile<2>, multiply_tile<3>,
                                    multiply_tile<4>, multiply_tile<5>, multiply_tile<6>,
                                    multiply_tile<7>, multiply_tile<8>};
  const WeightBlock block = arrange_block(map.weight, row);
  const __mmask16 mask = first_lanes(map.weight.rows - row);
  for (int64_t t = 0; t < inputs.tiles(); ++t) {
    const int64_t first = inputs.begin(t), count = inputs.begin(t + 1) - first;
    __m512 sums[kTileInputs];
    kTiles[count - 1](block, inputs.digits + 2 * first * inputs.columns,
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

TOOLKIT_VNNI void arrange_input(const float* x, const WeightView& weight, int64_t input,
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

FixedInputs arrange_inputs(const float* x, int64_t count, const WeightView& weight) {
  const int64_t columns = weight.columns, groups = weight.groups();
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

bool can_run_fixed_gemm(std::span<const RowsMap> maps) {
  const std::string target = kernel_target();
  if (!has_fixed_kernels() || (target != "AVX3" && target != "AMX")) return false;
  const WeightView& first = maps[0].weight;
  return std::all_of(maps.begin(), maps.end(), [&](const RowsMap& map) {
    return map.weight.quantized() && map.weight.bits == first.bits &&
           map.weight.group_size == first.group_size;
  });
}

void fixed_gemm(const float* x, int64_t count, std::span<const RowsMap> maps) {
  if (count <= 0 || maps.empty()) return;
  const FixedInputs inputs = arrange_inputs(x, count, maps[0].weight);
  const auto blocks = [](const RowsMap& map) {
    return (map.weight.rows + kBlockRows - 1) / kBlockRows;
  };
  int64_t total = 0;
  for (const RowsMap& map : maps) total += blocks(map);
  // Small pieces cost more to hand out than to compute.
  const int64_t grain = std::max<int64_t>(1, 32768 / (maps[0].weight.columns * kBlockRows * count));
  parallel_for(total, grain, [&](int64_t begin, int64_t end, int) {
    int64_t first = 0;
    for (const RowsMap& map : maps) {
      const int64_t from = std::max<int64_t>(begin - first, 0),
                    to = std::min(end - first, blocks(map));
      for (int64_t block = from; block < to; ++block) run_block(map, block * kBlockRows, inputs);
      first += blocks(map);
    }
  });
}

#else

bool can_run_fixed_gemm(std::span<const RowsMap>) {
  return false;
}

void fixed_gemm(const float*, int64_t, std::span<const RowsMap>) {}

#endif

}  // namespace toolkit::tensor::cpu
