#pragma once

#include <cstdint>

namespace toolkit::tensor::cpu {

constexpr int64_t kInt8TileRows = 12;
constexpr int64_t kInt8TileColumns = 32;

/// One register tile: up to 12 rows of A against 32 columns of B.
struct Int8Tile {
  const uint8_t* a;
  int64_t a_stride;
  int64_t quads;               // of the sum's length
  const int8_t* b0;            // columns 0..15: per quad 16 x 4 bytes
  const int8_t* b1;            // columns 16..31
  int64_t b_step;              // bytes from one quad to the next
  const int32_t* offsets;      // (32) subtracted from the sums: zero point * sum of B's column
  const float* row_scales;     // (rows)
  const float* column_scales;  // (32)
  const float* bias;           // (32)
  const float* low;            // (rows, rank), rows `low_stride` apart
  int64_t low_stride;
  int64_t rank;
  const float* low_panel;  // (rank, 32)
  float* c;
  int64_t c_stride;
  bool accumulate;
};

/// `rows` in 1..12.
using Int8TileFunction = void (*)(const Int8Tile& tile, int64_t rows);

/// Lays rows [row, row + 4 * quads) of 32 columns of a packed weight out as a tile's B: per quad
/// 128 bytes. `block` points at the first 16-row block, at the first of the columns; blocks are
/// `block_bytes` apart. Adds up each column in sums (32).
using Int8RepackFunction = void (*)(const int8_t* block, int64_t block_bytes, int64_t blocks,
                                    int8_t* out, int32_t* sums);

struct Int8Kernels {
  Int8TileFunction multiply;
  Int8RepackFunction repack;
};

/// AVX-512 VNNI where the machine has it and the chosen kernel target is AVX-512, portable code
/// otherwise.
Int8Kernels int8_kernels();

}  // namespace toolkit::tensor::cpu
