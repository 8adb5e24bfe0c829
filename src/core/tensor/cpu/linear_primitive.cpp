#include "core/tensor/cpu/linear_primitive.h"

#include <algorithm>
#include <deque>
#include <optional>

#include "core/base/error.h"
#include "core/tensor/cpu/bf16_gemm.h"
#include "core/tensor/cpu/gemm.h"
#include "core/tensor/cpu/gemv.h"
#include "core/tensor/cpu/int8_gemm.h"
#include "core/tensor/cpu/linear_backward.h"
#include "core/tensor/cpu/linear_dora.h"
#include "core/tensor/cpu/linear_layout.h"
#include "core/tensor/cpu/packed_rows.h"
#include "core/tensor/cpu/panel.h"
#include "core/tensor/cpu/weak_arrays.h"
#include "core/tensor/cpu/weight_gradient.h"
#include "mlx/allocator.h"
#include "mlx/backend/cpu/encoder.h"
#include "mlx/ops.h"
#include "mlx/primitives.h"

namespace toolkit::tensor::cpu {

namespace {

/// All maps' a (columns, rank_i) side by side: (columns, total rank).
FloatBuffer joined_a(const std::vector<MapLayout>& maps, const std::vector<mx::array>& inputs) {
  const int total = total_rank(maps), columns = maps[0].columns;
  FloatBuffer joined(int64_t{total} * columns);
  for (const MapLayout& map : maps) {
    if (map.rank == 0) continue;
    const Contiguous a(inputs[map.lora_a]);
    for (int k = 0; k < columns; ++k)
      std::copy_n(a.data() + static_cast<int64_t>(k) * map.rank, map.rank,
                  joined.data() + static_cast<int64_t>(k) * total + map.rank_begin);
  }
  return joined;
}

/// y_i += scale_i (x a_i) b_i and nothing else; x a is in `low`.
GemmTerm lora_term(const MapLayout& map, const float* low, int64_t rank, const float* b) {
  return {low + map.rank_begin,
          rank,
          map.rank,
          {.matrix = b, .stride = map.rows, .factor = map.lora_scale}};
}

/// The bias of a map with a DoRA is added behind its scale.
bool adds_bias(const MapLayout& map) {
  return map.bias >= 0 && !map.dora();
}

/// A few inputs: every weight is read once in its packed form.
void run_few(const std::vector<MapLayout>& maps, const std::vector<mx::array>& inputs,
             std::vector<mx::array>& outputs, const float* x, int64_t rows, const float* low) {
  const int64_t rank = total_rank(maps);
  std::vector<GemvMap> products;
  std::deque<Contiguous> kept;
  for (size_t i = 0; i < maps.size(); ++i) {
    GemvMap product{weight_view(maps[i], inputs), outputs[i].data<float>(), maps[i].rows};
    if (adds_bias(maps[i])) product.bias = kept.emplace_back(inputs[maps[i].bias]).data();
    products.push_back(product);
  }
  gemv(x, rows, products);
  for (size_t i = 0; i < maps.size(); ++i) {
    if (maps[i].rank == 0) continue;
    const GemmTerm term =
        lora_term(maps[i], low, rank, kept.emplace_back(inputs[maps[i].lora_b]).data());
    gemm({&term, 1}, {.c = products[i].y,
                      .stride = maps[i].rows,
                      .m = rows,
                      .n = maps[i].rows,
                      .accumulate = true});
  }
}

void run_many(const std::vector<MapLayout>& maps, const std::vector<mx::array>& inputs,
              std::vector<mx::array>& outputs, const PackedRows& x, int64_t rows,
              const float* low) {
  const int64_t columns = maps[0].columns, rank = total_rank(maps);
  for (size_t i = 0; i < maps.size(); ++i) {
    const MapLayout& map = maps[i];
    const ScaleBuffer weight(weight_view(map, inputs));
    std::vector<GemmTerm> terms = {{.k = columns,
                                    .b = weight.factor(RightFactor::Form::kWeightTransposed),
                                    .packed = x.data()}};
    std::optional<Contiguous> b, bias;
    if (map.rank > 0)
      terms.push_back(lora_term(map, low, rank, b.emplace(inputs[map.lora_b]).data()));
    if (adds_bias(map)) bias.emplace(inputs[map.bias]);
    GemmOutput output{.c = outputs[i].data<float>(),
                      .stride = map.rows,
                      .m = rows,
                      .n = map.rows,
                      .bias = bias ? bias->data() : nullptr};
    std::optional<DoraNorms> norms;
    if (map.dora()) {
      norms.emplace(map, inputs);
      terms[0].beside = norms->rows();
      output.beside = norms->directions();
    }
    gemm(terms, output);
    if (norms) norms->finish(output.c, rows, outputs[map.scale_output].data<float>());
  }
}

/// x a of all maps side by side; the panel is a multiple of `vector` wide.
LowProduct low_product(const std::vector<MapLayout>& maps, const std::vector<mx::array>& inputs,
                       float* low, int64_t vector) {
  const int64_t rank = total_rank(maps);
  if (rank == 0) return {};
  std::vector<LowFactor> factors;
  std::deque<Contiguous> kept;
  for (const MapLayout& map : maps)
    if (map.rank > 0)
      factors.push_back({.f = kept.emplace_back(inputs[map.lora_a]).data(),
                         .f_row = map.rank,
                         .f_column = 1,
                         .rank = map.rank,
                         .at = map.rank_begin});
  const int64_t width = (rank + vector - 1) / vector * vector;
  return {.panel = low_panel(factors, maps[0].columns, width),
          .width = width,
          .rank = rank,
          .out = low,
          .stride = rank};
}

/// In int8: x is quantized once for all maps.
void run_int8(const std::vector<MapLayout>& maps, const std::vector<mx::array>& inputs,
              std::vector<mx::array>& outputs, const float* x, int64_t rows) {
  const int64_t columns = maps[0].columns;
  float* low = total_rank(maps) > 0 ? outputs[maps.size()].data<float>() : nullptr;
  const Int8Rows quantized = scratch_rows(Scratch::kQuantized, rows, columns);
  quantize_rows({.x = x,
                 .x_stride = columns,
                 .m = rows,
                 .columns = columns,
                 .low = low_product(maps, inputs, low, 16)},
                quantized);
  for (size_t i = 0; i < maps.size(); ++i) {
    const MapLayout& map = maps[i];
    Int8Product product{.weight = map.int8.get(), .a = quantized};
    std::optional<Contiguous> b, bias;
    if (map.rank > 0) {
      product.low = low + map.rank_begin;
      product.low_stride = total_rank(maps);
      product.rank = map.rank;
      product.b = b.emplace(inputs[map.lora_b]).data();
      product.b_row = map.rows;
      product.b_column = 1;
      product.factor = map.lora_scale;
    }
    if (adds_bias(map)) bias.emplace(inputs[map.bias]);
    int8_gemm(product, {.c = outputs[i].data<float>(),
                        .stride = map.rows,
                        .m = rows,
                        .n = map.rows,
                        .bias = bias ? bias->data() : nullptr});
  }
}

/// In bf16: x is rounded once for all maps.
void run_bf16(const std::vector<MapLayout>& maps, const std::vector<mx::array>& inputs,
              std::vector<mx::array>& outputs, const float* x, int64_t rows) {
  const int64_t columns = maps[0].columns, rank = total_rank(maps);
  const Bf16Rows rounded = scratch_bf16_rows(Scratch::kQuantized, rows, columns);
  float* low = rank > 0 ? outputs[maps.size()].data<float>() : nullptr;
  round_rows({.a = x,
              .stride = columns,
              .m = rows,
              .k = columns,
              .low = low_product(maps, inputs, low, kPanelColumns)},
             rounded);
  for (size_t i = 0; i < maps.size(); ++i) {
    const MapLayout& map = maps[i];
    const ScaleBuffer weight(weight_view(map, inputs));
    std::vector<Bf16Term> terms = {
        {rounded, columns, weight.factor(RightFactor::Form::kWeightTransposed)}};
    std::optional<Contiguous> b, bias;
    std::optional<Bf16Buffer> part;  // of x a, rounded
    if (map.rank > 0) {
      part.emplace(low + map.rank_begin, rank, rows, map.rank);
      terms.push_back({part->rows(),
                       map.rank,
                       {.matrix = b.emplace(inputs[map.lora_b]).data(),
                        .stride = map.rows,
                        .factor = map.lora_scale}});
    }
    if (adds_bias(map)) bias.emplace(inputs[map.bias]);
    bf16_gemm(terms, {.c = outputs[i].data<float>(),
                      .stride = map.rows,
                      .m = rows,
                      .n = map.rows,
                      .bias = bias ? bias->data() : nullptr});
  }
}

bool all_bf16(const std::vector<MapLayout>& maps) {
  return std::all_of(maps.begin(), maps.end(), [](const MapLayout& map) { return map.bf16; });
}

bool all_int8(const std::vector<MapLayout>& maps) {
  return std::all_of(maps.begin(), maps.end(),
                     [](const MapLayout& map) { return map.int8 != nullptr; });
}

/// Scales what products without W a have made.
void scale_dora_maps(const std::vector<MapLayout>& maps, const std::vector<mx::array>& inputs,
                     std::vector<mx::array>& outputs, int64_t rows) {
  for (size_t i = 0; i < maps.size(); ++i) {
    if (!maps[i].dora()) continue;
    DoraNorms norms(maps[i], inputs);
    norms.multiply();
    norms.finish(outputs[i].data<float>(), rows, outputs[maps[i].scale_output].data<float>());
  }
}

void run_forward(const std::vector<MapLayout>& maps, const std::vector<mx::array>& inputs,
                 std::vector<mx::array>& outputs) {
  const Contiguous x(inputs[0]);
  const int64_t columns = maps[0].columns, rows = static_cast<int64_t>(inputs[0].size()) / columns;
  const int64_t rank = total_rank(maps);
  const bool few = rows <= kMostGemvInputs;
  if (!few && (all_int8(maps) || all_bf16(maps))) {
    (all_int8(maps) ? run_int8 : run_bf16)(maps, inputs, outputs, x.data(), rows);
    return scale_dora_maps(maps, inputs, outputs, rows);
  }
  std::optional<PackedRows> packed;
  if (!few) packed.emplace(x.data(), columns, rows, columns);
  float* low = nullptr;
  if (rank > 0) {
    low = outputs[maps.size()].data<float>();
    const FloatBuffer a = joined_a(maps, inputs);
    const GemmTerm term{.a = x.data(),
                        .stride = columns,
                        .k = columns,
                        .b = {.matrix = a.data(), .stride = rank},
                        .packed = packed ? packed->data() : nullptr};
    gemm({&term, 1}, {.c = low, .stride = rank, .m = rows, .n = rank});
  }
  if (few) {
    run_few(maps, inputs, outputs, x.data(), rows, low);
    scale_dora_maps(maps, inputs, outputs, rows);
  } else {
    run_many(maps, inputs, outputs, *packed, rows, low);
  }
}

class LinearGroup : public mx::Primitive {
 public:
  LinearGroup(mx::Stream stream, std::vector<MapLayout> maps)
      : Primitive(stream), maps_(std::move(maps)) {}

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    for (mx::array& out : outputs) out.set_data(mx::allocator::malloc(out.nbytes()));
    mx::cpu::get_command_encoder(stream()).dispatch(
        [maps = maps_, in = weak_arrays(inputs), out = weak_arrays(outputs)]() mutable {
          run_forward(maps, in, out);
        });
  }
  void eval_gpu(const std::vector<mx::array>&, std::vector<mx::array>&) override {
    fail(ErrorKind::kInternal, "linear: the CPU kernel was sent to a GPU");
  }
  const char* name() const override { return "LinearGroup"; }

  std::vector<mx::array> vjp(const std::vector<mx::array>& primals,
                             const std::vector<mx::array>& cotangents,
                             const std::vector<int>& wanted,
                             const std::vector<mx::array>& outputs) override;

 private:
  std::vector<MapLayout> maps_;
};

std::vector<mx::array> LinearGroup::vjp(const std::vector<mx::array>& primals,
                                        const std::vector<mx::array>& cotangents,
                                        const std::vector<int>& wanted,
                                        const std::vector<mx::array>& outputs) {
  const auto is_wanted = [&](int input) {
    return std::find(wanted.begin(), wanted.end(), input) != wanted.end();
  };
  bool wants_lora = false;
  for (const MapLayout& map : maps_)
    wants_lora |= map.rank > 0 && (is_wanted(map.lora_a) || is_wanted(map.lora_b) ||
                                   (map.dora() && is_wanted(map.magnitude)));
  const bool wants_x = is_wanted(0);

  std::vector<mx::array> gradients;  // in the order of LinearGroupGradient's outputs
  if (wants_x || wants_lora) {
    std::vector<mx::array> inputs = primals;
    if (wants_lora) {
      inputs.push_back(outputs[maps_.size()]);
    } else {
      inputs[0] = cotangents[0];  // so that a frozen layer's activations need not be kept
    }
    for (size_t i = 0; i < maps_.size(); ++i)
      if (maps_[i].dora()) {
        inputs.push_back(wants_lora ? outputs[i] : cotangents[i]);
        inputs.push_back(outputs[maps_[i].scale_output]);
      }
    for (size_t i = 0; i < maps_.size(); ++i) inputs.push_back(cotangents[i]);
    std::vector<mx::Shape> shapes;
    if (wants_x) shapes.push_back(primals[0].shape());
    for (const MapLayout& map : maps_) {
      if (!wants_lora || map.rank == 0) continue;
      shapes.push_back(primals[map.lora_a].shape());
      shapes.push_back(primals[map.lora_b].shape());
      if (map.dora()) shapes.push_back(primals[map.magnitude].shape());
    }
    const std::vector<mx::Dtype> types(shapes.size(), mx::float32);
    gradients = mx::array::make_arrays(
        shapes, types, std::make_shared<LinearGroupGradient>(stream(), maps_, wants_x, wants_lora),
        inputs);
  }
  const auto gradient_of = [&](int input) -> mx::array {
    if (input == 0) return gradients[0];
    size_t next = wants_x ? 1 : 0;
    for (size_t i = 0; i < maps_.size(); ++i) {
      const MapLayout& map = maps_[i];
      if (input == map.weight && map.scales < 0 && !map.dora())
        return mx::astype(weight_gradient(primals[0], cotangents[i]), primals[input].dtype());
      if (input == map.bias) return mx::sum(mx::reshape(cotangents[i], {-1, map.rows}), 0);
      if (map.rank > 0) {
        if (input == map.lora_a) return gradients[next];
        if (input == map.lora_b) return gradients[next + 1];
        if (map.dora() && input == map.magnitude) return gradients[next + 2];
        next += !wants_lora ? 0 : map.dora() ? 3 : 2;
      }
    }
    fail(
        ErrorKind::kUnsupported,
        "linear: a weight that is quantized or has a DoRA has no gradient; fine-tune it with LoRA, "
        "or dequantize it first");
  };
  std::vector<mx::array> result;
  for (int input : wanted) result.push_back(gradient_of(input));
  return result;
}

}  // namespace

bool supports_packing(int bits, int group_size) {
  return (bits == 4 || bits == 8) && (group_size == 32 || group_size == 64 || group_size == 128);
}

std::vector<mx::array> linear_group_primitive(const mx::array& x, std::span<const LinearMap> maps) {
  std::vector<mx::array> inputs = {x};
  std::vector<MapLayout> layouts;
  int rank = 0;
  std::vector<mx::Shape> shapes;
  for (const LinearMap& map : maps) {
    layouts.push_back(add_map(map, inputs));
    layouts.back().rank_begin = rank;
    rank += layouts.back().rank;
    mx::Shape shape = x.shape();
    shape.back() = layouts.back().rows;
    shapes.push_back(shape);
  }
  if (rank > 0) {
    mx::Shape shape = x.shape();
    shape.back() = rank;
    shapes.push_back(shape);
  }
  for (MapLayout& map : layouts) {
    if (!map.dora()) continue;
    map.scale_output = static_cast<int>(shapes.size());
    shapes.push_back({map.rows});
  }
  const std::vector<mx::Dtype> types(shapes.size(), mx::float32);
  std::vector<mx::array> outputs = mx::array::make_arrays(
      shapes, types, std::make_shared<LinearGroup>(mx::default_stream(mx::Device::cpu), layouts),
      inputs);
  // x a and the scales stay among the primitive's outputs for the gradient; nobody else needs them.
  outputs.resize(maps.size(), outputs[0]);
  return outputs;
}

}  // namespace toolkit::tensor::cpu
