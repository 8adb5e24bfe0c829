#pragma once

#include "core/tensor/cpu/int8_tile.h"

#if defined(__x86_64__)

namespace toolkit::tensor::cpu {

/// AVX-512 VNNI: byte dot products; up to 12 rows.
void multiply_vnni(const Int8Tile& tile, int64_t rows);
/// AMX: a group of 16 rows and 16 columns is one instruction; up to 16 rows. Reads 16 rows of A and
/// of its scales, however many there are.
void multiply_amx(const Int8Tile& tile, int64_t rows);
void begin_amx();
void end_amx();

/// C = [C +] sums + low low_panel; sums (rows, 32), 64-byte aligned, the bias in them.
void finish_avx512(const Int8Tile& tile, int64_t rows, const float* sums);

}  // namespace toolkit::tensor::cpu

#endif
