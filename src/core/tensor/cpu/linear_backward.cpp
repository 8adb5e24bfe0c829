#include "core/tensor/cpu/linear_backward.h"

#include <algorithm>
#include <deque>
#include <optional>

#include "core/base/error.h"
#include "core/tensor/cpu/bf16_gemm.h"
#include "core/tensor/cpu/gemm.h"
#include "core/tensor/cpu/gemv.h"
#include "core/tensor/cpu/int8_gemm.h"
#include "core/tensor/cpu/packed_rows.h"
#include "core/tensor/cpu/panel.h"
#include "core/tensor/cpu/scale_columns_kernels.h"
#include "core/tensor/cpu/weak_arrays.h"
#include "mlx/allocator.h"
#include "mlx/backend/cpu/encoder.h"

namespace toolkit::tensor::cpu {

namespace {

struct Gradients {
  const std::vector<MapLayout>& maps;
  const std::vector<mx::array>& inputs;
  int64_t rows, columns, rank;
  size_t first_extra;             // among the inputs: y and scale of each map with a DoRA
  std::deque<Contiguous> given;   // what dy points to
  std::vector<const float*> dy;   // per map, of the outputs before a DoRA's scale
  std::deque<PackedRows> packed;  // the same, when the weight's products want them so
  std::deque<FloatBuffer> scaled;
  std::vector<std::vector<float>> scale_sums;  // per map with a DoRA: magnitude times its gradient

  Gradients(const std::vector<MapLayout>& layouts, const std::vector<mx::array>& arrays)
      : maps(layouts), inputs(arrays), columns(layouts[0].columns), rank(total_rank(layouts)) {
    const size_t first = inputs.size() - maps.size();
    rows = static_cast<int64_t>(inputs[first].size()) / maps[0].rows;
    first_extra = first;
    for (const MapLayout& map : maps) first_extra -= map.dora() ? 2 : 0;
    for (size_t i = 0, extra = first_extra; i < maps.size(); ++i) {
      dy.push_back(given.emplace_back(inputs[first + i]).data());
      if (!maps[i].dora()) continue;
      scale_gradient(i, extra);
      extra += 2;
    }
    if (rows <= kMostGemvInputs || in_int8() || in_bf16()) return;
    for (size_t i = 0; i < maps.size(); ++i)
      packed.emplace_back(dy[i], maps[i].rows, rows, maps[i].rows);
  }

  /// dy of a map with a DoRA becomes that of the outputs before their scale.
  void scale_gradient(size_t i, size_t extra) {
    const MapLayout& map = maps[i];
    const Contiguous y(inputs[extra]), scale(inputs[extra + 1]);
    std::optional<Contiguous> bias;
    if (map.bias >= 0) bias.emplace(inputs[map.bias]);
    float* before = scaled.emplace_back(rows * map.rows).data();
    std::vector<float>& sums = scale_sums.emplace_back(static_cast<size_t>(map.rows));
    scale_columns_backward(y.data(), dy[i], scale.data(), bias ? bias->data() : nullptr, before,
                           sums.data(), rows, map.rows);
    dy[i] = before;
  }

  const float* packed_dy(size_t map) const { return packed.empty() ? nullptr : packed[map].data(); }

  /// z_i = scale_i dy_i b_i^T, side by side: (rows, rank).
  void low_rank_gradient(float* z) const {
    for (size_t i = 0; i < maps.size(); ++i) {
      const MapLayout& map = maps[i];
      if (map.rank == 0) continue;
      const Contiguous b(inputs[map.lora_b]);
      const GemmTerm term{.a = dy[i],
                          .stride = map.rows,
                          .k = map.rows,
                          .b = {.form = RightFactor::Form::kMatrixTransposed,
                                .matrix = b.data(),
                                .stride = map.rows,
                                .factor = map.lora_scale},
                          .packed = packed_dy(i)};
      gemm({&term, 1}, {.c = z + map.rank_begin, .stride = rank, .m = rows, .n = map.rank});
    }
  }

  /// One map's part of it, for int8 and bf16; the panel is a multiple of `vector` wide.
  LowProduct low_rank_gradient(const MapLayout& map, float* z, int64_t vector) const {
    if (map.rank == 0) return {};
    const Contiguous b(inputs[map.lora_b]);
    const LowFactor factor{.f = b.data(),
                           .f_row = 1,
                           .f_column = map.rows,
                           .rank = map.rank,
                           .factor = map.lora_scale};
    const int64_t width = (map.rank + vector - 1) / vector * vector;
    return {.panel = low_panel({&factor, 1}, map.rows, width),
            .width = width,
            .rank = map.rank,
            .out = z + map.rank_begin,
            .stride = rank};
  }

  /// dx = sum of dy_i W_i + z_i a_i^T.
  void input_gradient(const float* z, float* dx) const {
    std::vector<GemmTerm> terms;
    std::deque<ScaleBuffer> weights;
    std::deque<Contiguous> a;
    for (size_t i = 0; i < maps.size(); ++i) {
      const MapLayout& map = maps[i];
      weights.emplace_back(weight_view(map, inputs));
      terms.push_back({.a = dy[i],
                       .stride = map.rows,
                       .k = map.rows,
                       .b = weights.back().factor(RightFactor::Form::kWeight),
                       .packed = packed_dy(i)});
    }
    for (const MapLayout& map : maps) {
      if (map.rank == 0) continue;
      a.emplace_back(inputs[map.lora_a]);
      terms.push_back({z + map.rank_begin,
                       rank,
                       map.rank,
                       {.form = RightFactor::Form::kMatrixTransposed,
                        .matrix = a.back().data(),
                        .stride = map.rank}});
    }
    gemm(terms, {.c = dx, .stride = columns, .m = rows, .n = columns});
  }

  /// The same in int8; each map adds its part. Makes z, too.
  void input_gradient_int8(float* z, float* dx) const {
    for (size_t i = 0; i < maps.size(); ++i) {
      const MapLayout& map = maps[i];
      const Int8Rows quantized = scratch_rows(Scratch::kQuantized, rows, map.rows);
      quantize_rows({.x = dy[i],
                     .x_stride = map.rows,
                     .m = rows,
                     .columns = map.rows,
                     .low = low_rank_gradient(map, z, 16)},
                    quantized);
      Int8Product product{.weight = &map.int8->transposed(weight_view(map, inputs)),
                          .a = quantized};
      std::optional<Contiguous> a;
      if (map.rank > 0) {
        product.low = z + map.rank_begin;
        product.low_stride = rank;
        product.rank = map.rank;
        product.b = a.emplace(inputs[map.lora_a]).data();
        product.b_row = 1;
        product.b_column = map.rank;
      }
      int8_gemm(product,
                {.c = dx, .stride = columns, .m = rows, .n = columns, .accumulate = i > 0});
    }
  }

  /// The two products above in bf16: z of all maps, then dx.
  void input_gradient_bf16(float* z, float* dx) const {
    std::vector<Bf16Term> terms;
    std::deque<ScaleBuffer> weights;
    std::deque<Contiguous> factors;
    std::deque<Bf16Buffer> rounded;
    for (size_t i = 0; i < maps.size(); ++i) {
      const MapLayout& map = maps[i];
      const Bf16Rows& dy_rows = rounded.emplace_back(rows, map.rows).rows();
      round_rows({.a = dy[i],
                  .stride = map.rows,
                  .m = rows,
                  .k = map.rows,
                  .low = low_rank_gradient(map, z, kPanelColumns)},
                 dy_rows);
      if (!dx) continue;
      terms.push_back(
          {dy_rows, map.rows,
           weights.emplace_back(weight_view(map, inputs)).factor(RightFactor::Form::kWeight)});
    }
    if (!dx) return;
    for (const MapLayout& map : maps) {
      if (map.rank == 0) continue;
      terms.push_back({rounded.emplace_back(z + map.rank_begin, rank, rows, map.rank).rows(),
                       map.rank,
                       {.form = RightFactor::Form::kMatrixTransposed,
                        .matrix = factors.emplace_back(inputs[map.lora_a]).data(),
                        .stride = map.rank}});
    }
    bf16_gemm(terms, {.c = dx, .stride = columns, .m = rows, .n = columns});
  }

  bool in_bf16() const {
    return rows > kMostGemvInputs &&
           std::all_of(maps.begin(), maps.end(), [](const MapLayout& map) { return map.bf16; });
  }

  bool in_int8() const {
    return rows > kMostGemvInputs &&
           std::all_of(maps.begin(), maps.end(),
                       [](const MapLayout& map) { return map.int8 != nullptr; });
  }

  /// Of a magnitude that is exactly 0, whose outputs say nothing, it is 0.
  void magnitude_gradient(const MapLayout& map, const std::vector<float>& sums, float* out) const {
    const Contiguous magnitude(inputs[map.magnitude]);
    for (size_t i = 0; i < sums.size(); ++i)
      out[i] = magnitude.data()[i] == 0.0f ? 0.0f : sums[i] / magnitude.data()[i];
  }

  /// da_i = x^T z_i and db_i = scale_i (x a_i)^T dy_i, written to outputs from `next` on.
  void lora_gradients(const float* z, std::vector<mx::array>& outputs, size_t next) const {
    const Contiguous x(inputs[0]);
    const Contiguous low(inputs[first_extra - 1]);
    size_t next_sums = 0;
    const FloatBuffer da(rank * columns);  // transposed: (rank, columns)
    sum_outer_products({z, rank, x.data(), columns, rows, rank, columns}, da.data());
    for (size_t i = 0; i < maps.size(); ++i) {
      const MapLayout& map = maps[i];
      if (map.rank == 0) continue;
      float* a = outputs[next++].data<float>();
      const float* rows_of_a = da.data() + map.rank_begin * columns;
      for (int64_t k = 0; k < columns; ++k)
        for (int64_t r = 0; r < map.rank; ++r) a[k * map.rank + r] = rows_of_a[r * columns + k];
      sum_outer_products({low.data() + map.rank_begin, rank, dy[i], map.rows, rows, map.rank,
                          map.rows, map.lora_scale},
                         outputs[next++].data<float>());
      if (map.dora())
        magnitude_gradient(map, scale_sums[next_sums++], outputs[next++].data<float>());
    }
  }
};

}  // namespace

void LinearGroupGradient::eval_cpu(const std::vector<mx::array>& inputs,
                                   std::vector<mx::array>& outputs) {
  for (mx::array& out : outputs) out.set_data(mx::allocator::malloc(out.nbytes()));
  mx::cpu::get_command_encoder(stream()).dispatch(
      [maps = maps_, wants_x = wants_x_, wants_lora = wants_lora_, in = weak_arrays(inputs),
       out = weak_arrays(outputs)]() mutable {
        const Gradients gradients(maps, in);
        const FloatBuffer buffer(gradients.rows * gradients.rank);
        float* z = buffer.data();
        if (wants_x && gradients.in_int8()) {
          gradients.input_gradient_int8(z, out[0].data<float>());
        } else if (gradients.in_bf16()) {
          gradients.input_gradient_bf16(z, wants_x ? out[0].data<float>() : nullptr);
        } else {
          gradients.low_rank_gradient(z);
          if (wants_x) gradients.input_gradient(z, out[0].data<float>());
        }
        if (wants_lora) gradients.lora_gradients(z, out, wants_x ? 1 : 0);
      });
}

void LinearGroupGradient::eval_gpu(const std::vector<mx::array>&, std::vector<mx::array>&) {
  fail(ErrorKind::kInternal, "linear: the CPU kernel was sent to a GPU");
}

}  // namespace toolkit::tensor::cpu
