#pragma once

#include <cstdint>

namespace toolkit::tensor::cpu {

/// Rows and columns of C that one call makes.
constexpr int64_t kBf16TileRows = 32;
constexpr int64_t kBf16TileColumns = 32;
constexpr int64_t kBf16TileDepth = 32;  // of one tile product

/// One product's share: A is row-major bf16, 32 rows readable; the panel holds B in pairs of
/// neighbouring k: two halves of 16 columns, in each per pair 16 x 2 bf16. `depth` is a multiple of
/// 32, filled up with zeros in A and in B.
struct Bf16TileTerm {
  const uint16_t* a;
  int64_t stride;  // elements from one row of A to the next
  const uint16_t* panel;
  int64_t depth;
};

/// out (32, 32), rows `stride` apart, = sum of the terms; with `rows` <= 16 only the first 16 rows.
/// The calling thread holds a Bf16Tiles.
void multiply_bf16_tile(const Bf16TileTerm* terms, int64_t count, int64_t rows, float* out,
                        int64_t stride);

/// c = [c +] bias + sums, (rows, 32) each; bias (32). c's rows are `stride` apart.
void finish_bf16_tile(const float* sums, const float* bias, bool accumulate, int64_t rows, float* c,
                      int64_t stride);

/// Tells the processor the tiles' shapes, for as long as it lives.
struct Bf16Tiles {
  Bf16Tiles();
  ~Bf16Tiles();
  Bf16Tiles(const Bf16Tiles&) = delete;
  Bf16Tiles& operator=(const Bf16Tiles&) = delete;
};

/// `depth` rows of 32 floats as a panel; depth is even.
void round_panel(const float* rows, int64_t depth, uint16_t* left_half, uint16_t* right_half);

/// count floats to bf16, to the nearest (ties to even); zeros up to `padded`, a multiple of 32.
void round_row(const float* row, int64_t count, int64_t padded, uint16_t* out);

}  // namespace toolkit::tensor::cpu
