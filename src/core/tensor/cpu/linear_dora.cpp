#include "core/tensor/cpu/linear_dora.h"

#include <optional>

#include "core/tensor/cpu/dora_kernels.h"

namespace toolkit::tensor::cpu {

DoraNorms::DoraNorms(const MapLayout& map, const std::vector<mx::array>& inputs)
    : map_(map),
      inputs_(inputs),
      a_(inputs[map.lora_a]),
      a_rows_(PackedRows::of_columns(a_.data(), map.rank, map.rank, map.columns)),
      directions_(int64_t{map.rank} * map.rows) {}

void DoraNorms::multiply() {
  const ScaleBuffer weight(weight_view(map_, inputs_));
  const GemmTerm term{.k = map_.columns,
                      .b = weight.factor(RightFactor::Form::kWeightTransposed),
                      .packed = rows()};
  gemm({&term, 1}, {.c = directions_.data(), .stride = map_.rows, .m = map_.rank, .n = map_.rows});
}

void DoraNorms::finish(float* y, int64_t rows, float* scale) {
  const int64_t rank = map_.rank;
  const FloatBuffer gram(rank * rank);
  const GemmTerm term{
      .k = map_.columns, .b = {.matrix = a_.data(), .stride = rank}, .packed = this->rows()};
  gemm({&term, 1}, {.c = gram.data(), .stride = rank, .m = rank, .n = rank});
  const Contiguous b(inputs_[map_.lora_b]), squares(inputs_[map_.squared_norms]),
      magnitude(inputs_[map_.magnitude]);
  std::optional<Contiguous> bias;
  if (map_.bias >= 0) bias.emplace(inputs_[map_.bias]);
  scale_dora_outputs({.directions = directions_.data(),
                      .gram = gram.data(),
                      .b = b.data(),
                      .rank = rank,
                      .factor = map_.lora_scale,
                      .squared_norms = squares.data(),
                      .magnitude = magnitude.data(),
                      .bias = bias ? bias->data() : nullptr,
                      .scale = scale,
                      .y = y,
                      .rows = rows,
                      .outputs = map_.rows});
}

}  // namespace toolkit::tensor::cpu
