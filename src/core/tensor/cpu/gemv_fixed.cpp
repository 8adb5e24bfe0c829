#include "core/tensor/cpu/gemv_fixed.h"

#include <algorithm>
#include <limits>

#include "core/tensor/cpu/scratch.h"
#include "core/tensor/cpu/vnni.h"

namespace toolkit::tensor::cpu {

#if defined(__x86_64__)

namespace {

constexpr int64_t kScalesPerVector = 16;
// One unit more in the first digit's place would still fit: rounding cannot overflow it.
constexpr float kLargest = 127 * 65536;
constexpr int64_t kAhead = 2048;  // bytes of a weight asked for before they are used

/// As assembly: g++ 12 copies and spills the sums around its own intrinsic.
TOOLKIT_VNNI inline void add_products(__m512i& sum, __m512i weights, __m512i digits) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(weights), "v"(digits));
}

TOOLKIT_VNNI inline __mmask16 first_lanes(int64_t count) {
  return count >= 16 ? __mmask16{0xffff} : static_cast<__mmask16>((1u << count) - 1);
}

/// Numbers [index, index + 16) of `type`, those outside the mask as zeros.
template <FloatType kType>
TOOLKIT_VNNI inline __m512 load(const void* data, int64_t index, __mmask16 mask) {
  if constexpr (kType == FloatType::kFloat32) {
    return _mm512_maskz_loadu_ps(mask, static_cast<const float*>(data) + index);
  } else {
    const __m256i half = _mm256_maskz_loadu_epi16(mask, static_cast<const uint16_t*>(data) + index);
    if constexpr (kType == FloatType::kFloat16) return _mm512_cvtph_ps(half);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
  }
}

/// Adds scale * (q . x) over 64 bytes of each of kRows rows to its sum, lane by lane. The rows'
/// steps alternate: one alone is a chain of waiting instructions.
template <int kRows>
TOOLKIT_VNNI inline void add_nibbles(const __m512i* bytes, const __m512i* x, const __m512* scales,
                                     __m512* sums) {
  const __m512i low = _mm512_set1_epi8(15);
  __m512i even[kRows], odd[kRows], total[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    even[r] = _mm512_and_si512(bytes[r], low);
    odd[r] = _mm512_and_si512(_mm512_srli_epi16(bytes[r], 4), low);
    total[r] = _mm512_setzero_si512();
  }
  // At most 8 products of 15 and 2^23 in a lane: the whole sum fits into 32 bits.
#pragma GCC unroll 3
  for (int digit = 0; digit < 3; ++digit) {
#pragma GCC unroll 4
    for (int r = 0; digit > 0 && r < kRows; ++r) total[r] = _mm512_slli_epi32(total[r], 8);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) add_products(total[r], even[r], x[2 * digit]);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) add_products(total[r], odd[r], x[2 * digit + 1]);
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r)
    sums[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(total[r]), scales[r], sums[r]);
}

template <int kRows>
TOOLKIT_VNNI inline void add_bytes(const __m512i* bytes, const __m512i* x, const __m512* scales,
                                   __m512* sums) {
  __m512i high[kRows], low[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    high[r] = low[r] = _mm512_setzero_si512();
    add_products(high[r], bytes[r], x[0]);
    add_products(low[r], bytes[r], x[2]);
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    high[r] = _mm512_slli_epi32(high[r], 8);
    add_products(high[r], bytes[r], x[1]);
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    const __m512 total = _mm512_fmadd_ps(_mm512_cvtepi32_ps(high[r]), _mm512_set1_ps(256.0f),
                                         _mm512_cvtepi32_ps(low[r]));
    sums[r] = _mm512_fmadd_ps(total, scales[r], sums[r]);
  }
}

/// The sums over all lanes of four vectors.
TOOLKIT_VNNI inline __m128 sums_of_four(const __m512* v) {
  const __m512 a = _mm512_add_ps(_mm512_unpacklo_ps(v[0], v[1]), _mm512_unpackhi_ps(v[0], v[1]));
  const __m512 b = _mm512_add_ps(_mm512_unpacklo_ps(v[2], v[3]), _mm512_unpackhi_ps(v[2], v[3]));
  const __m512 c = _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xee));
  const __m256 d = _mm256_add_ps(_mm512_castps512_ps256(c), _mm512_extractf32x8_ps(c, 1));
  return _mm_add_ps(_mm256_castps256_ps128(d), _mm256_extractf128_ps(d, 1));
}

TOOLKIT_VNNI inline void prefetch(const void* data, int64_t begin, int64_t end) {
  for (int64_t at = begin; at < end; at += 64)
    _mm_prefetch(static_cast<const char*>(data) + at, _MM_HINT_T0);
}

/// kRows rows from `row` on.
template <int kBits, FloatType kType, int kRows>
TOOLKIT_VNNI inline void add_rows(const WeightView& weight, const FixedInput& x, int64_t row,
                                  float* y) {
  constexpr int kBlocks = kBits == 4 ? 6 : 3;  // of digits
  constexpr int64_t kWeights = 512 / kBits;    // in a vector
  const int64_t groups = weight.groups(), row_bytes = weight.words_per_row() * 4;
  const uint8_t* bytes = static_cast<const uint8_t*>(weight.data) + row * row_bytes;
  const int8_t* digits = x.digits;
  const __m512i columns =
      _mm512_mullo_epi32(_mm512_set1_epi32(32 / kBits),
                         _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  const __m512i step = _mm512_set1_epi32(static_cast<int>(kWeights)),
                shift = _mm512_set1_epi32(weight.group_size == 32   ? 5
                                          : weight.group_size == 64 ? 6
                                                                    : 7);
  __m512 sum[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) sum[r] = _mm512_setzero_ps();
  for (int64_t g = 0; g < groups; g += kScalesPerVector) {
    const int64_t count = std::min(kScalesPerVector, groups - g);
    const __mmask16 mask = first_lanes(count);
    const __m512 x_scales = _mm512_maskz_loadu_ps(mask, x.scales + g),
                 x_sums = _mm512_maskz_loadu_ps(mask, x.sums + g);
    __m512 scales[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const int64_t index = (row + r) * groups + g;
      scales[r] = _mm512_mul_ps(load<kType>(weight.scales, index, mask), x_scales);
      sum[r] = _mm512_fmadd_ps(load<kType>(weight.biases, index, mask), x_sums, sum[r]);
    }
    int64_t left = count * weight.group_size;
    __m512i lane_columns = columns;
    for (; left > 0; left -= kWeights, bytes += 64, digits += 64 * kBlocks) {
      const __m512i which = _mm512_srlv_epi32(lane_columns, shift);
      lane_columns = _mm512_add_epi32(lane_columns, step);
      __m512i d[kBlocks], w[kRows];
      __m512 scale[kRows];
#pragma GCC unroll 6
      for (int i = 0; i < kBlocks; ++i) d[i] = _mm512_loadu_si512(digits + 64 * i);
      if (left >= kWeights) {
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) w[r] = _mm512_loadu_si512(bytes + r * row_bytes);
      } else {
        const __mmask16 lanes = first_lanes(left * kBits / 32);
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r)
          w[r] = _mm512_maskz_loadu_epi32(lanes, bytes + r * row_bytes);
      }
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) scale[r] = _mm512_permutexvar_ps(which, scales[r]);
      if constexpr (kBits == 4) {
        add_nibbles<kRows>(w, d, scale, sum);
      } else {
        add_bytes<kRows>(w, d, scale, sum);
      }
    }
  }
  if constexpr (kRows == 4) {
    _mm_storeu_ps(y + row, sums_of_four(sum));
  } else {
    for (int r = 0; r < kRows; ++r) y[row + r] = _mm512_reduce_add_ps(sum[r]);
  }
}

template <int kBits, FloatType kType>
TOOLKIT_VNNI void run_rows(const WeightView& weight, const FixedInput& x, int64_t begin,
                           int64_t end, float* y) {
  const int64_t row_bytes = weight.words_per_row() * 4, last = weight.rows * row_bytes;
  const int64_t scale_bytes = weight.groups() * (kType == FloatType::kFloat32 ? 4 : 2),
                last_scale = weight.rows * scale_bytes;
  int64_t row = begin;
  for (; row + 4 <= end; row += 4) {
    // Rows are short, and the processor's own prefetching starts anew at every page.
    prefetch(weight.data, row * row_bytes + kAhead, std::min(last, (row + 4) * row_bytes + kAhead));
    prefetch(weight.scales, row * scale_bytes + kAhead / 4,
             std::min(last_scale, (row + 4) * scale_bytes + kAhead / 4));
    prefetch(weight.biases, row * scale_bytes + kAhead / 4,
             std::min(last_scale, (row + 4) * scale_bytes + kAhead / 4));
    add_rows<kBits, kType, 4>(weight, x, row, y);
  }
  for (; row < end; ++row) add_rows<kBits, kType, 1>(weight, x, row, y);
}

template <int kBits>
void run_type(const WeightView& weight, const FixedInput& x, int64_t begin, int64_t end, float* y) {
  if (weight.type == FloatType::kFloat32)
    return run_rows<kBits, FloatType::kFloat32>(weight, x, begin, end, y);
  if (weight.type == FloatType::kFloat16)
    return run_rows<kBits, FloatType::kFloat16>(weight, x, begin, end, y);
  return run_rows<kBits, FloatType::kBFloat16>(weight, x, begin, end, y);
}

/// Splits 16 numbers into their digits.
struct Digits {
  __m128i d0, d1, d2;
};

/// A number without its last signed digit.
TOOLKIT_VNNI inline __m512i without_last(__m512i number) {
  return _mm512_srai_epi32(_mm512_add_epi32(number, _mm512_set1_epi32(128)), 8);
}

TOOLKIT_VNNI inline Digits split(__m512i number) {
  const __m512i middle = without_last(number);
  return {_mm512_cvtepi32_epi8(without_last(middle)), _mm512_cvtepi32_epi8(middle),
          _mm512_cvtepi32_epi8(number)};
}

TOOLKIT_VNNI inline void store(int8_t* to, const Digits& digits, int64_t step) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), digits.d0);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to + step), digits.d1);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 2 * step), digits.d2);
}

/// Columns [0, size) of one group, the group's first column being `column` of x.
TOOLKIT_VNNI void write_digits(const float* x, int64_t column, int64_t size, float inverse,
                               int bits, int8_t* digits) {
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
  const __m512 factor = _mm512_set1_ps(inverse);
  for (int64_t j = 0; j < size; j += 32) {
    const int64_t at = column + j;
    const __m512i a = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + at), factor));
    const __m512i b = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + at + 16), factor));
    if (bits == 4) {
      int8_t* to = digits + at / 128 * 384 + at % 128 / 2;
      store(to, split(_mm512_permutex2var_epi32(a, even, b)), 128);
      store(to + 64, split(_mm512_permutex2var_epi32(a, odd, b)), 128);
    } else {
      int8_t* to = digits + at / 64 * 192 + at % 64;
      store(to, split(a), 64);
      store(to + 16, split(b), 64);
    }
  }
}

TOOLKIT_VNNI FixedInput make_input(const WeightView& weight, const float* x) {
  const int64_t columns = weight.columns, groups = weight.groups(), size = weight.group_size;
  const int64_t blocks = (columns * weight.bits + 511) / 512,
                block_bytes = weight.bits == 4 ? 384 : 192;
  int8_t* digits =
      scratch<int8_t>(Scratch::kActivation, static_cast<size_t>(blocks * block_bytes) +
                                                static_cast<size_t>(2 * groups) * sizeof(float));
  float* scales = reinterpret_cast<float*>(digits + blocks * block_bytes);
  float* sums = scales + groups;
  // What is past the columns in the last block meets weights of zero, but must be a number of ours.
  std::fill(digits + (blocks - 1) * block_bytes, digits + blocks * block_bytes, int8_t{0});
  for (int64_t g = 0; g < groups; ++g) {
    __m512 sum = _mm512_setzero_ps(), largest = sum;
    for (int64_t j = g * size; j < (g + 1) * size; j += 16) {
      const __m512 values = _mm512_loadu_ps(x + j);
      sum = _mm512_add_ps(sum, values);
      largest = _mm512_max_ps(largest, _mm512_abs_ps(values));
    }
    sums[g] = _mm512_reduce_add_ps(sum);
    const float top = _mm512_reduce_max_ps(largest);
    // NaN and Inf reach the result through the sum.
    const bool usable = top > 1e-30f && top <= std::numeric_limits<float>::max();
    scales[g] = usable ? top / kLargest : 0.0f;
    write_digits(x, g * size, size, usable ? kLargest / top : 0.0f, weight.bits, digits);
  }
  return {digits, scales, sums};
}

}  // namespace

bool has_fixed_kernels() {
  static const bool has = __builtin_cpu_supports("avx512vnni") &&
                          __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return has;
}

FixedInput fixed_input(const WeightView& weight, const float* x) {
  return make_input(weight, x);
}

void fixed_rows(const WeightView& weight, const FixedInput& x, int64_t begin, int64_t end,
                float* y) {
  if (weight.bits == 4) return run_type<4>(weight, x, begin, end, y);
  run_type<8>(weight, x, begin, end, y);
}

#else

bool has_fixed_kernels() {
  return false;
}

FixedInput fixed_input(const WeightView&, const float*) {
  return {};
}

void fixed_rows(const WeightView&, const FixedInput&, int64_t, int64_t, float*) {}

#endif

}  // namespace toolkit::tensor::cpu
