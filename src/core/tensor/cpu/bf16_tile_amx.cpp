#include "core/tensor/cpu/bf16_tile_amx.h"

#include "core/base/error.h"

#if defined(__x86_64__)

#include "core/tensor/cpu/amx.h"

namespace toolkit::tensor::cpu {

namespace {

// Tiles 0 to 3: sums (upper left, upper right, lower left, lower right); 4 and 5: A; 6 and 7: B.
// (The intrinsics take nothing but written numbers.)
constexpr TileShapes shapes() {
  TileShapes s;
  for (int tile = 0; tile < 8; ++tile) s.set(tile, 16, 64);
  return s;
}

TOOLKIT_AMX void begin_tiles() {
  static constexpr TileShapes kShapes = shapes();
  _tile_loadconfig(&kShapes);
}

TOOLKIT_AMX void end_tiles() {
  _tile_release();
}

}  // namespace

Bf16Tiles::Bf16Tiles() {
  begin_tiles();
}

Bf16Tiles::~Bf16Tiles() {
  end_tiles();
}

TOOLKIT_AMX void multiply_bf16_tile(const Bf16TileTerm* terms, int64_t count, int64_t rows,
                                    float* out, int64_t stride) {
  constexpr int64_t kLine = 64;
  const bool lower = rows > 16;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t t = 0; t < count; ++t) {
    const int64_t a_line = terms[t].stride * 2;
    const uint16_t* a0 = terms[t].a;
    const uint16_t* a1 = a0 + 16 * terms[t].stride;
    const uint16_t* b0 = terms[t].panel;
    const uint16_t* b1 = b0 + terms[t].depth * 16;
    for (int64_t k = terms[t].depth; k > 0; k -= kBf16TileDepth) {
      _tile_loadd(6, b0, kLine);
      _tile_loadd(7, b1, kLine);
      _tile_loadd(4, a0, a_line);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      if (lower) {
        _tile_loadd(5, a1, a_line);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
      a0 += kBf16TileDepth;
      a1 += kBf16TileDepth;
      b0 += kBf16TileDepth * 16;
      b1 += kBf16TileDepth * 16;
    }
  }
  const int64_t out_line = stride * 4;
  _tile_stored(0, out, out_line);
  _tile_stored(1, out + 16, out_line);
  if (!lower) return;
  _tile_stored(2, out + 16 * stride, out_line);
  _tile_stored(3, out + 16 * stride + 16, out_line);
}

TOOLKIT_AMX void finish_bf16_tile(const float* sums, const float* bias, bool accumulate,
                                  int64_t rows, float* c, int64_t stride) {
  const __m512 left_bias = _mm512_loadu_ps(bias), right_bias = _mm512_loadu_ps(bias + 16);
  for (int64_t r = 0; r < rows; ++r, sums += kBf16TileColumns, c += stride) {
    __m512 left = _mm512_add_ps(_mm512_loadu_ps(sums), left_bias),
           right = _mm512_add_ps(_mm512_loadu_ps(sums + 16), right_bias);
    if (accumulate) {
      left = _mm512_add_ps(left, _mm512_loadu_ps(c));
      right = _mm512_add_ps(right, _mm512_loadu_ps(c + 16));
    }
    _mm512_storeu_ps(c, left);
    _mm512_storeu_ps(c + 16, right);
  }
}

TOOLKIT_AMX void round_panel(const float* rows, int64_t depth, uint16_t* left_half,
                             uint16_t* right_half) {
  // Word 2 j comes from the first row's column j, word 2 j + 1 from the second's.
  const __m512i low = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i order =
      _mm512_or_si512(low, _mm512_slli_epi32(_mm512_add_epi32(low, _mm512_set1_epi32(16)), 16));
  for (int64_t k = 0; k < depth; k += 2, rows += 2 * kBf16TileColumns) {
    const float* next = rows + kBf16TileColumns;
    const __m512i left = reinterpret_cast<__m512i>(
        _mm512_cvtne2ps_pbh(_mm512_loadu_ps(next), _mm512_loadu_ps(rows)));
    const __m512i right = reinterpret_cast<__m512i>(
        _mm512_cvtne2ps_pbh(_mm512_loadu_ps(next + 16), _mm512_loadu_ps(rows + 16)));
    _mm512_storeu_si512(left_half + k * 16, _mm512_permutexvar_epi16(order, left));
    _mm512_storeu_si512(right_half + k * 16, _mm512_permutexvar_epi16(order, right));
  }
}

TOOLKIT_AMX void round_row(const float* row, int64_t count, int64_t padded, uint16_t* out) {
  for (int64_t k = 0; k < padded; k += 32) {
    const int64_t left = count - k;
    const __mmask16 first = left >= 16 ? 0xffff : static_cast<__mmask16>((1u << left) - 1);
    const __mmask16 second = left >= 32   ? 0xffff
                             : left <= 16 ? 0
                                          : static_cast<__mmask16>((1u << (left - 16)) - 1);
    _mm512_storeu_si512(out + k, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(
                                     _mm512_maskz_loadu_ps(second, row + k + 16),
                                     _mm512_maskz_loadu_ps(first, row + k))));
  }
}

}  // namespace toolkit::tensor::cpu

#else

namespace toolkit::tensor::cpu {

namespace {
[[noreturn]] void missing() {
  fail(ErrorKind::kInternal, "tile products were asked of a processor without AMX");
}
}  // namespace

Bf16Tiles::Bf16Tiles() {
  missing();
}
Bf16Tiles::~Bf16Tiles() = default;
void multiply_bf16_tile(const Bf16TileTerm*, int64_t, int64_t, float*, int64_t) {
  missing();
}
void finish_bf16_tile(const float*, const float*, bool, int64_t, float*, int64_t) {
  missing();
}
void round_panel(const float*, int64_t, uint16_t*, uint16_t*) {
  missing();
}
void round_row(const float*, int64_t, int64_t, uint16_t*) {
  missing();
}

}  // namespace toolkit::tensor::cpu

#endif
