#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/tensor/array_fwd.h"
#include "core/tensor/backend.h"
#include "mlx/array.h"

namespace toolkit::tensor {

/// A weight matrix (out, in) as it lies in memory.
///   dense      data (out, in) f32, f16 or bf16; no scales
///   quantized  MLX's affine groups: data u32 (out, in*bits/32), scales and biases (out,
///   in/group_size);
///              w = scale * q + bias. GGUF's Q4_0, Q4_1 and Q8_0 are kept in this form (group 32).
struct Weight {
  mx::array data;
  std::optional<mx::array> scales;
  std::optional<mx::array> biases;
  int group_size = 0;
  int bits = 0;

  bool quantized() const { return scales.has_value(); }
  int rows() const;     // out
  int columns() const;  // in
};

/// The type activations are kept in: bf16 for Compute::kBFloat16 where MLX's own ops run (Metal,
/// CUDA; sums stay f32 inside them), f32 otherwise: our CPU kernels round inside a product only.
mx::Dtype activation_type(Compute compute);

/// The weight as a dense (out, in) array of `dtype` (plain MLX graph).
mx::array dequantized(const Weight& weight, mx::Dtype dtype);

/// What is kept beside a weight (int8 rows; scales of another type). Opaque; made by `prepare`.
struct PreparedWeight;

/// Work done once per frozen weight after loading. May return null: nothing is to be kept.
std::shared_ptr<const PreparedWeight> prepare(const Weight& weight, Compute compute);

/// Low-rank branch: adds scale * (x a) b. a (in, r), b (r, out), both f32. (Hu et al. 2021,
/// arXiv:2106.09685)
struct LoraBranch {
  mx::array a;
  mx::array b;
  float scale;
  /// A second branch that does not learn, of the same scale: what a base has to lose when its
  /// branch does not begin at zero (PiSSA). (in, q), (q, out).
  std::optional<mx::array> frozen_a = std::nullopt, frozen_b = std::nullopt;
  /// In training: the share of the branch's input that is zeroed, and the key of the draw; see
  /// tensor::dropout.
  float dropout = 0.0f;
  uint64_t dropout_key = 0;
};

/// Weight-decomposed low-rank adaptation while it learns: the rows of W + scale (a b)^T are given
/// the lengths `magnitude`. Their own norms count as constants for gradients. (Liu et al. 2024,
/// arXiv:2402.09353, 4.3)
struct DoraTerms {
  const mx::array* magnitude;      // (out) f32
  const mx::array* squared_norms;  // (out) f32, of the rows of W
};

/// One linear map: y = output_scale (x W^T + scale (x a) b) + bias.
struct LinearTerms {
  const Weight* weight;
  const PreparedWeight* prepared = nullptr;
  const mx::array* bias = nullptr;  // (out)
  const LoraBranch* lora = nullptr;
  const mx::array* output_scale = nullptr;       // (out)
  std::optional<DoraTerms> dora = std::nullopt;  // beside a branch; its scale is the output's
};

/// The output scale that a map's `dora` stands for: magnitude over the norms of the rows as the
/// branch makes them now, (out) f32. W a is made on the packed weight.
mx::array dora_scale(const LinearTerms& map);

/// Applies several linear maps to one input, as q/k/v or gate/up do: the input is read (and for
/// int8 quantized) once, and its gradient is summed in place.
///   x        (..., in)
///   returns  one (..., out_i) per map, dtype of x
/// Differentiable in x, lora.a, lora.b, output_scale, dora's magnitude, and in a dense weight and
/// bias.
/// Our CPU kernels round to kBFloat16 only where that is faster (AMX) and compute it as kFloat32
/// elsewhere; up to 8 input rows are always computed in f32 on the packed weight.
std::vector<mx::array> linear_group(const mx::array& x, std::span<const LinearTerms> maps,
                                    Compute compute = Compute::kFloat32);

/// The same for one map.
mx::array linear(const mx::array& x, const LinearTerms& map, Compute compute = Compute::kFloat32);

}  // namespace toolkit::tensor
