#include "core/tensor/cpu/adamw_op.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/tensor/cpu/adamw_kernels.h"
#include "core/tensor/cpu/primitive.h"
#include "core/tensor/cpu/thread_pool.h"

namespace toolkit::tensor::cpu {

namespace {

constexpr int64_t kPieceElements = 16384;
// Every output of an MLX primitive holds every input and every other output: some tensors together
// save scheduling, all together would be hundreds of thousands of references.
constexpr size_t kTensorsTogether = 4;

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

/// {gradients..} -> {norm of all, times the gradient scale}
class GradientNorm : public CpuPrimitive {
 public:
  explicit GradientNorm(float scale) : scale_(scale) {}
  const char* name() const override { return "GradientNorm"; }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    std::vector<Moving> tensors;
    for (const mx::array& input : inputs) {
      Moving t{};
      t.gradient = in_rows(input, stream()).data<float>();
      t.count = static_cast<int64_t>(input.size());
      tensors.push_back(t);
    }
    allocate(outputs[0]);
    schedule(stream(), [tensors = std::move(tensors), out = outputs[0].data<float>(),
                        scale = scale_] {
      const std::vector<Piece> pieces = pieces_of(tensors);
      std::vector<double> squares(pieces.size());
      parallel_for(static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end, int) {
        for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
          squares[i] =
              sum_of_squares(pieces[i].tensor->gradient + pieces[i].begin, pieces[i].count);
      });
      double total = 0.0;  // added in the order of the pieces: the same on any number of threads
      for (const double square : squares) total += square;
      *out = static_cast<float>(std::sqrt(total)) * scale;
    });
  }

 private:
  float scale_;
};

void keep_all(const std::vector<Piece>& pieces) {
  for (const Piece& piece : pieces) {
    copy_unless_same(piece.tensor->parameter_out, piece.tensor->parameter, piece);
    copy_unless_same(piece.tensor->m_out, piece.tensor->m, piece);
    copy_unless_same(piece.tensor->v_out, piece.tensor->v, piece);
  }
}

void update_all(const std::vector<Moving>& tensors, const AdamwStep& step, float norm) {
  const std::vector<Piece> pieces = pieces_of(tensors);
  if (!std::isfinite(norm)) return keep_all(pieces);
  const float clip = step.max_norm > 0.0f ? std::min(1.0f, step.max_norm / (norm + 1e-6f)) : 1.0f;
  const AdamwFactors factors{
      .gradient = step.gradient_scale * clip,
      .beta1 = step.beta1,
      .beta2 = step.beta2,
      .eps = step.eps,
      .decay = 1.0f - step.learning_rate * step.weight_decay,
      .rate = step.learning_rate / (1.0f - std::pow(step.beta1, static_cast<float>(step.step))),
      .second = 1.0f / (1.0f - std::pow(step.beta2, static_cast<float>(step.step)))};
  parallel_for(static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end, int) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      const Moving& t = *pieces[i].tensor;
      const int64_t at = pieces[i].begin;
      adamw_update(t.parameter + at, t.gradient + at, t.m + at, t.v + at, t.parameter_out + at,
                   t.m_out + at, t.v_out + at, pieces[i].count, factors);
    }
  });
}

/// {norm, then for each tensor parameter, gradient, m, v} -> {for each tensor parameter, m, v}
class Adamw : public CpuPrimitive {
 public:
  explicit Adamw(const AdamwStep& step) : step_(step) {}
  const char* name() const override { return "Adamw"; }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    release_inputs_of_siblings(inputs, outputs);
    std::vector<Moving> tensors;
    const auto place = [&](size_t output, size_t input, const float*& from, float*& to) {
      from = in_rows(inputs[input], stream()).data<float>();
      allocate_or_reuse(outputs[output], inputs[input]);
      to = outputs[output].data<float>();
    };
    for (size_t i = 0; 4 * i + 1 < inputs.size(); ++i) {
      Moving t{};
      t.count = static_cast<int64_t>(inputs[4 * i + 1].size());
      t.gradient = in_rows(inputs[4 * i + 2], stream()).data<float>();
      place(3 * i, 4 * i + 1, t.parameter, t.parameter_out);
      place(3 * i + 1, 4 * i + 3, t.m, t.m_out);
      place(3 * i + 2, 4 * i + 4, t.v, t.v_out);
      tensors.push_back(t);
    }
    schedule(stream(), [tensors = std::move(tensors), step = step_,
                        norm = inputs[0].data<float>()] { update_all(tensors, step, *norm); });
  }

 private:
  AdamwStep step_;
};

}  // namespace

AdamwResult adamw(std::span<const mx::array> parameters, std::span<const mx::array> gradients,
                  std::span<const mx::array> first_moments,
                  std::span<const mx::array> second_moments, const AdamwStep& step) {
  const mx::array norm({}, mx::float32, std::make_shared<GradientNorm>(step.gradient_scale),
                       std::vector<mx::array>(gradients.begin(), gradients.end()));
  AdamwResult result{{}, {}, {}, norm};
  for (size_t begin = 0; begin < parameters.size(); begin += kTensorsTogether) {
    std::vector<mx::array> inputs = {norm};
    std::vector<mx::Shape> shapes;
    for (size_t i = begin; i < std::min(parameters.size(), begin + kTensorsTogether); ++i) {
      inputs.insert(inputs.end(),
                    {parameters[i], gradients[i], first_moments[i], second_moments[i]});
      shapes.insert(shapes.end(), 3, parameters[i].shape());
    }
    const auto outputs =
        mx::array::make_arrays(shapes, std::vector<mx::Dtype>(shapes.size(), mx::float32),
                               std::make_shared<Adamw>(step), inputs);
    for (size_t i = 0; i < outputs.size(); i += 3) {
      result.parameters.push_back(outputs[i]);
      result.first_moments.push_back(outputs[i + 1]);
      result.second_moments.push_back(outputs[i + 2]);
    }
  }
  return result;
}

}  // namespace toolkit::tensor::cpu
