#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor/linear.h"

namespace toolkit::tensor::cpu {

/// True for the tables the primitive reads: dense f32, f16, bf16, or 4 and 8 bit groups.
bool can_embed(const Weight& table);

/// One row of an evaluated table as f32: out (C).
void read_table_row(const Weight& table, int32_t id, float* out);

/// The primitives behind tensor::embedding (result f32) and tensor::gather_rows (x f32).
mx::array embedding(const Weight& table, const mx::array& ids);
mx::array gather_rows(const mx::array& x, const mx::array& rows);

/// The primitive behind tensor::shared_table (f32).
std::vector<mx::array> shared_table(const mx::array& table, int count);

}  // namespace toolkit::tensor::cpu
