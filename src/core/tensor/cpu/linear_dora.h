#pragma once

#include <vector>

#include "core/tensor/cpu/gemm.h"
#include "core/tensor/cpu/linear_layout.h"
#include "core/tensor/cpu/packed_rows.h"

namespace toolkit::tensor::cpu {

/// What the norms of one map with a DoRA need beside its product: W a, made in a product of its own
/// or beside x W^T, where the weight is expanded anyway.
class DoraNorms {
 public:
  DoraNorms(const MapLayout& map, const std::vector<mx::array>& inputs);

  /// To be multiplied with W^T, `map.columns` deep: the rows, and where the result goes.
  const float* rows() const { return a_rows_.data(); }
  GemmBeside directions() const {
    return {.c = directions_.data(), .stride = map_.rows, .m = map_.rank};
  }
  /// That product alone.
  void multiply();

  /// Scales the outputs y (rows, map.rows) of the map without its bias, which is added, and writes
  /// magnitude / norm.
  void finish(float* y, int64_t rows, float* scale);

 private:
  const MapLayout& map_;
  const std::vector<mx::array>& inputs_;
  Contiguous a_;
  PackedRows a_rows_;
  FloatBuffer directions_;
};

}  // namespace toolkit::tensor::cpu
