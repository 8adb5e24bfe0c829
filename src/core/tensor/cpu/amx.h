#pragma once

#if defined(__x86_64__)

#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 takes the "undefined" registers of its own intrinsics for a mistake of ours.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include <cstdint>

#define TOOLKIT_AMX                                                             \
  __attribute__((                                                               \
      target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,prfchw," \
             "amx-tile,amx-int8,amx-bf16")))

namespace toolkit::tensor::cpu {

/// The shapes of the eight tile registers (Intel SDM, LDTILECFG, palette 1): rows and bytes a row.
struct alignas(64) TileShapes {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};

  constexpr void set(int tile, uint8_t tile_rows, uint16_t bytes) {
    rows[tile] = tile_rows;
    row_bytes[tile] = bytes;
  }
};
static_assert(sizeof(TileShapes) == 64);

}  // namespace toolkit::tensor::cpu

#endif
