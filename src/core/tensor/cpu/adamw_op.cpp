#include "core/tensor/cpu/adamw_op.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/tensor/cpu/adamw_kernels.h"
#include "core/tensor/cpu/primitive.h"
#include "core/tensor/cpu/thread_pool.h"

namespace toolkit::tensor::cpu {

namespace {

constexpr int64_t kPieceElements = 16384;

/// One tensor's memory; outputs may be the inputs.
struct Moving {
  const float *parameter, *gradient, *m, *v;
  float *parameter_out, *m_out, *v_out;
  int64_t count;
};

/// A stretch of one tensor: small tensors and large ones make pieces of like size.
struct Piece {
  const Moving* tensor;
  int64_t begin, count;
};

std::vector<Piece> pieces_of(const std::vector<Moving>& tensors) {
  std::vector<Piece> pieces;
  for (const Moving& tensor : tensors)
    for (int64_t begin = 0; begin < tensor.count; begin += kPieceElements)
      pieces.push_back({&tensor, begin, std::min(kPieceElements, tensor.count - begin)});
  return pieces;
}

void copy_unless_same(float* to, const float* from, const Piece& piece) {
  if (to != from)
    std::memcpy(to + piece.begin, from + piece.begin,
                static_cast<size_t>(piece.count) * sizeof(float));
}

void run(const std::vector<Moving>& tensors, const AdamwStep& step, float* norm_out) {
  const std::vector<Piece> pieces = pieces_of(tensors);
  const auto count = static_cast<int64_t>(pieces.size());
  std::vector<double> squares(pieces.size());
  parallel_for(count, 1, [&](int64_t begin, int64_t end, int) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
      squares[i] = sum_of_squares(pieces[i].tensor->gradient + pieces[i].begin, pieces[i].count);
  });
  double total = 0.0;  // added in the order of the pieces: the same on any number of threads
  for (const double square : squares) total += square;
  const float norm = static_cast<float>(std::sqrt(total)) * step.gradient_scale;
  *norm_out = norm;
  if (!std::isfinite(norm)) {
    for (const Piece& piece : pieces) {
      copy_unless_same(piece.tensor->parameter_out, piece.tensor->parameter, piece);
      copy_unless_same(piece.tensor->m_out, piece.tensor->m, piece);
      copy_unless_same(piece.tensor->v_out, piece.tensor->v, piece);
    }
    return;
  }
  const float clip = step.max_norm > 0.0f ? std::min(1.0f, step.max_norm / (norm + 1e-6f)) : 1.0f;
  const AdamwFactors factors{
      .gradient = step.gradient_scale * clip,
      .beta1 = step.beta1,
      .beta2 = step.beta2,
      .eps = step.eps,
      .decay = 1.0f - step.learning_rate * step.weight_decay,
      .rate = step.learning_rate / (1.0f - std::pow(step.beta1, static_cast<float>(step.step))),
      .second = 1.0f / (1.0f - std::pow(step.beta2, static_cast<float>(step.step)))};
  parallel_for(count, 1, [&](int64_t begin, int64_t end, int) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      const Moving& t = *pieces[i].tensor;
      const int64_t at = pieces[i].begin;
      adamw_update(t.parameter + at, t.gradient + at, t.m + at, t.v + at, t.parameter_out + at,
                   t.m_out + at, t.v_out + at, pieces[i].count, factors);
    }
  });
}

/// {parameters.., gradients.., first.., second..} -> {parameters.., first.., second.., norm}
class Adamw : public CpuPrimitive {
 public:
  explicit Adamw(const AdamwStep& step) : step_(step) {}
  const char* name() const override { return "Adamw"; }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    release_inputs_of_siblings(inputs, outputs);
    const size_t count = inputs.size() / 4;
    std::vector<Moving> tensors;
    const auto place = [&](size_t output, size_t input, const float*& from, float*& to) {
      from = in_rows(inputs[input], stream()).data<float>();
      allocate_or_reuse(outputs[output], inputs[input]);
      to = outputs[output].data<float>();
    };
    for (size_t i = 0; i < count; ++i) {
      Moving t{};
      t.count = static_cast<int64_t>(inputs[i].size());
      t.gradient = in_rows(inputs[count + i], stream()).data<float>();
      place(i, i, t.parameter, t.parameter_out);
      place(count + i, 2 * count + i, t.m, t.m_out);
      place(2 * count + i, 3 * count + i, t.v, t.v_out);
      tensors.push_back(t);
    }
    allocate(outputs.back());
    schedule(stream(), [tensors = std::move(tensors), step = step_,
                        norm = outputs.back().data<float>()] { run(tensors, step, norm); });
  }

 private:
  AdamwStep step_;
};

}  // namespace

AdamwResult adamw(std::span<const mx::array> parameters, std::span<const mx::array> gradients,
                  std::span<const mx::array> first_moments,
                  std::span<const mx::array> second_moments, const AdamwStep& step) {
  std::vector<mx::array> inputs;
  for (const auto& list : {parameters, gradients, first_moments, second_moments})
    inputs.insert(inputs.end(), list.begin(), list.end());
  std::vector<mx::Shape> shapes;
  for (int copy = 0; copy < 3; ++copy)
    for (const mx::array& parameter : parameters) shapes.push_back(parameter.shape());
  shapes.push_back({});
  const auto outputs =
      mx::array::make_arrays(shapes, std::vector<mx::Dtype>(shapes.size(), mx::float32),
                             std::make_shared<Adamw>(step), inputs);
  const auto part = [&,
                     count = static_cast<std::ptrdiff_t>(parameters.size())](std::ptrdiff_t index) {
    return std::vector<mx::array>(outputs.begin() + index * count,
                                  outputs.begin() + (index + 1) * count);
  };
  return {part(0), part(1), part(2), outputs.back()};
}

}  // namespace toolkit::tensor::cpu
