#include "core/tensor/cpu/optimizer_op.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "core/tensor/cpu/optimizer_kernels.h"
#include "core/tensor/cpu/primitive.h"
#include "core/tensor/cpu/thread_pool.h"

namespace toolkit::tensor::cpu {

namespace {

constexpr int64_t kPieceElements = 16384;  // a multiple of kMomentBlock
// Every output of an MLX primitive holds every input and every other output: some tensors together
// save scheduling, all together would be hundreds of thousands of references.
constexpr size_t kTensorsTogether = 4;
constexpr size_t kMostArrays = 4;  // the parameter and up to three arrays of state

/// One array that an update moves; `to` may be `from`.
struct Moving {
  const void* from = nullptr;
  void* to = nullptr;
  size_t bytes = 0;
};

/// One tensor's memory.
struct Memory {
  const float* gradient = nullptr;
  std::array<Moving, kMostArrays> arrays;  // the parameter first
  int64_t count = 0;
  float rate = 0.0f, weight_decay = 0.0f;
};

/// A stretch of one tensor: small tensors and large ones make pieces of like size.
struct Piece {
  const Memory* tensor;
  int64_t begin, count;

  const float* gradient() const { return tensor->gradient + begin; }
  template <class Element = float>
  const Element* from(size_t array, int64_t per_element = 1) const {
    return static_cast<const Element*>(tensor->arrays[array].from) + begin / per_element;
  }
  template <class Element = float>
  Element* to(size_t array, int64_t per_element = 1) const {
    return static_cast<Element*>(tensor->arrays[array].to) + begin / per_element;
  }
};

std::vector<Piece> pieces_of(const std::vector<Memory>& tensors) {
  std::vector<Piece> pieces;
  for (const Memory& tensor : tensors)
    for (int64_t begin = 0; begin < tensor.count; begin += kPieceElements)
      pieces.push_back({&tensor, begin, std::min(kPieceElements, tensor.count - begin)});
  return pieces;
}

template <class Body>
void for_each_piece(const std::vector<Piece>& pieces, const Body& body) {
  parallel_for(static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end, int) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) body(i, pieces[i]);
  });
}

/// {gradients..} -> {norm of all, times the gradient scale}
class GradientNorm : public CpuPrimitive {
 public:
  explicit GradientNorm(float scale) : scale_(scale) {}
  const char* name() const override { return "GradientNorm"; }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    std::vector<Memory> tensors;
    for (const mx::array& input : inputs)
      tensors.push_back({.gradient = in_rows(input, stream()).data<float>(),
                         .count = static_cast<int64_t>(input.size())});
    allocate(outputs[0]);
    schedule(stream(), [tensors = std::move(tensors), out = outputs[0].data<float>(),
                        scale = scale_] {
      const std::vector<Piece> pieces = pieces_of(tensors);
      std::vector<double> squares(pieces.size());
      for_each_piece(pieces, [&](size_t i, const Piece& piece) {
        squares[i] = sum_of_squares(piece.gradient(), piece.count);
      });
      double total = 0.0;  // added in the order of the pieces: the same on any number of threads
      for (const double square : squares) total += square;
      *out = static_cast<float>(std::sqrt(total)) * scale;
    });
  }

 private:
  float scale_;
};

AdamwFactors factors(const AdamwRule& rule, const Memory& t, float gradient) {
  const auto step = static_cast<float>(rule.step);
  return {.gradient = gradient,
          .beta1 = rule.beta1,
          .beta2 = rule.beta2,
          .eps = rule.eps,
          .decay = 1.0f - t.rate * t.weight_decay,
          .rate = t.rate / (1.0f - std::pow(rule.beta1, step)),
          .second = 1.0f / (1.0f - std::pow(rule.beta2, step))};
}

void update(const Piece& p, const AdamwRule& rule, float gradient) {
  adamw_update(p.from(0), p.gradient(), p.from(1), p.from(2), p.to(0), p.to(1), p.to(2), p.count,
               factors(rule, *p.tensor, gradient));
}

void update(const Piece& p, const Adamw8bitRule& rule, float gradient) {
  const Moment8 m{.codes = p.from<int8_t>(1),
                  .scales = p.from(2, kMomentBlock),
                  .codes_out = p.to<int8_t>(1),
                  .scales_out = p.to(2, kMomentBlock)};
  adamw_8bit_update(p.from(0), p.gradient(), m, p.from(3), p.to(0), p.to(3), p.count,
                    factors(rule.adamw, *p.tensor, gradient));
}

void update(const Piece& p, const LionRule& rule, float gradient) {
  const Memory& t = *p.tensor;
  lion_update(p.from(0), p.gradient(), p.from(1), p.to(0), p.to(1), p.count,
              {.gradient = gradient,
               .beta1 = rule.beta1,
               .beta2 = rule.beta2,
               .decay = 1.0f - t.rate * t.weight_decay,
               .rate = t.rate});
}

void update(const Piece& p, const SgdRule& rule, float gradient) {
  const Memory& t = *p.tensor;
  const bool moving = rule.momentum != 0.0f;
  sgd_update(p.from(0), p.gradient(), moving ? p.from(1) : nullptr, p.to(0),
             moving ? p.to(1) : nullptr, p.count,
             {.gradient = gradient,
              .weight_decay = t.weight_decay,
              .momentum = rule.momentum,
              .rate = t.rate,
              .nesterov = rule.nesterov});
}

void keep_all(const std::vector<Memory>& tensors) {
  for (const Memory& tensor : tensors)
    for (const Moving& array : tensor.arrays)
      if (array.to != array.from) std::memcpy(array.to, array.from, array.bytes);
}

struct Clipping {
  float scale, max_norm;
};

void update_all(const std::vector<Memory>& tensors, const UpdateRule& rule,
                const Clipping& clipping, float norm) {
  if (!std::isfinite(norm)) return keep_all(tensors);
  const float clip =
      clipping.max_norm > 0.0f ? std::min(1.0f, clipping.max_norm / (norm + 1e-6f)) : 1.0f;
  for_each_piece(pieces_of(tensors), [&](size_t, const Piece& piece) {
    std::visit([&](const auto& particular) { update(piece, particular, clipping.scale * clip); },
               rule);
  });
}

/// Learning rate and weight decay of one tensor.
struct Rates {
  float rate, weight_decay;
};

/// {norm, then for each tensor gradient, parameter, state..} -> {for each parameter, state..}
class OptimizerUpdate : public CpuPrimitive {
 public:
  OptimizerUpdate(const UpdateRule& rule, Clipping clipping, std::vector<Rates> rates)
      : rule_(rule), clipping_(clipping), rates_(std::move(rates)) {}
  const char* name() const override { return "OptimizerUpdate"; }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    release_inputs_of_siblings(inputs, outputs);
    const size_t arrays = outputs.size() / rates_.size();
    std::vector<Memory> tensors;
    for (size_t i = 0; i < rates_.size(); ++i) {
      const size_t input = 1 + i * (arrays + 1), output = i * arrays;
      Memory t{.gradient = in_rows(inputs[input], stream()).data<float>(),
               .count = static_cast<int64_t>(inputs[input].size()),
               .rate = rates_[i].rate,
               .weight_decay = rates_[i].weight_decay};
      for (size_t k = 0; k < arrays; ++k) {
        const mx::array& from = inputs[input + 1 + k];
        mx::array& to = outputs[output + k];
        t.arrays[k] = {.from = in_rows(from, stream()).data<void>(), .bytes = to.nbytes()};
        allocate_or_reuse(to, from);
        t.arrays[k].to = to.data<void>();
      }
      tensors.push_back(t);
    }
    schedule(stream(),
             [tensors = std::move(tensors), rule = rule_, clipping = clipping_,
              norm = inputs[0].data<float>()] { update_all(tensors, rule, clipping, *norm); });
  }

 private:
  UpdateRule rule_;
  Clipping clipping_;
  std::vector<Rates> rates_;
};

/// {sum, gradient} -> {sum + gradient}
class AddGradient : public CpuPrimitive {
 public:
  const char* name() const override { return "AddGradient"; }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    Memory t{.gradient = in_rows(inputs[1], stream()).data<float>(),
             .count = static_cast<int64_t>(inputs[1].size())};
    t.arrays[0] = {.from = in_rows(inputs[0], stream()).data<void>(), .bytes = outputs[0].nbytes()};
    allocate_or_reuse(outputs[0], inputs[0]);
    t.arrays[0].to = outputs[0].data<void>();
    schedule(stream(), [tensors = std::vector<Memory>{t}] {
      keep_all(tensors);
      for_each_piece(pieces_of(tensors), [](size_t, const Piece& piece) {
        add_to(piece.to(0), piece.gradient(), piece.count);
      });
    });
  }
};

}  // namespace

mx::array gradient_norm(std::span<const mx::array> gradients, float scale) {
  return {{},
          mx::float32,
          std::make_shared<GradientNorm>(scale),
          std::vector<mx::array>(gradients.begin(), gradients.end())};
}

std::vector<UpdatedTensor> optimizer_update(std::vector<TensorUpdate> tensors,
                                            const UpdateRule& rule,
                                            const GradientScaling& scaling) {
  std::vector<UpdatedTensor> result;
  for (size_t begin = 0; begin < tensors.size(); begin += kTensorsTogether) {
    std::vector<mx::array> inputs = {scaling.norm};
    std::vector<mx::Shape> shapes;
    std::vector<mx::Dtype> types;
    std::vector<Rates> rates;
    for (size_t i = begin; i < std::min(tensors.size(), begin + kTensorsTogether); ++i) {
      const TensorUpdate& t = tensors[i];
      inputs.push_back(t.gradient);
      rates.push_back({t.learning_rate, t.weight_decay});
      const auto moves = [&](const mx::array& array) {
        inputs.push_back(array);
        shapes.push_back(array.shape());
        types.push_back(array.dtype());
      };
      moves(t.parameter);
      for (const mx::array& state : t.state) moves(state);
    }
    const size_t arrays = shapes.size() / rates.size();
    const auto outputs = mx::array::make_arrays(
        shapes, types,
        std::make_shared<OptimizerUpdate>(rule, Clipping{scaling.scale, scaling.max_norm},
                                          std::move(rates)),
        inputs);
    for (size_t i = 0; i < outputs.size(); i += arrays) {
      const auto first = outputs.begin() + static_cast<std::ptrdiff_t>(i);
      result.push_back({*first, {first + 1, first + static_cast<std::ptrdiff_t>(arrays)}});
    }
  }
  return result;
}

std::vector<mx::array> add_gradients(std::vector<mx::array> sums,
                                     std::span<const mx::array> gradients) {
  std::vector<mx::array> result;
  for (size_t i = 0; i < sums.size(); ++i)
    result.push_back(mx::array(sums[i].shape(), mx::float32, std::make_shared<AddGradient>(),
                               {sums[i], gradients[i]}));
  return result;
}

}  // namespace toolkit::tensor::cpu
