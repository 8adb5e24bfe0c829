#pragma once

#include <cstdint>

namespace toolkit::tensor::cpu {

constexpr int64_t kInt8TileRows = 12;
constexpr int64_t kInt8MostTileRows = 16;  // of any kernel
constexpr int64_t kInt8TileColumns = 32;
constexpr int64_t kInt8GroupQuads = 16;  // the sum's length that shares one scale of A, in quads

/// One register tile: up to 12 or 16 rows of A against 32 columns of B. A is signed, B unsigned
/// with zero point 128; four neighbours of the sum's length (a quad) lie together.
struct Int8Tile {
  const int8_t* a;
  int64_t a_stride;
  const float* group_scales;     // (rows, groups) of A
  const int32_t* group_offsets;  // (rows, groups) where the sum of a group begins
  int64_t groups;                // also the distance from one row's scales to the next row's
  int64_t quads;                 // of the sum's length
  const uint8_t* b0;             // columns 0..15: per quad 16 x 4 bytes, 64-byte aligned
  const uint8_t* b1;             // columns 16..31
  const float* column_scales;    // (groups, 32) of B
  int64_t column_scales_step;    // from one group's scales to the next group's
  const float* bias;             // (32)
  const float* low;              // (rows, rank), rows `low_stride` apart
  int64_t low_stride;
  int64_t rank;
  const float* low_panel;  // (rank, 32)
  float* c;
  int64_t c_stride;
  bool accumulate;
};

/// `rows` in 1..Int8Kernels::tile_rows.
using Int8TileFunction = void (*)(const Int8Tile& tile, int64_t rows);

struct Int8Kernels {
  Int8TileFunction multiply;
  int64_t tile_rows;          // rows a tile should have; A is readable up to the next multiple
  void (*begin)() = nullptr;  // around a thread's run of tiles: what the processor must be told
  void (*end)() = nullptr;
};

/// AMX, AVX-512 VNNI or AVX2 where the machine has it and the chosen kernel target allows it,
/// portable code otherwise.
Int8Kernels int8_kernels();

}  // namespace toolkit::tensor::cpu
