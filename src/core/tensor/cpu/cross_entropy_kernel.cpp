#include "core/tensor/cpu/cross_entropy_kernel.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "core/tensor/cpu/bf16_gemm.h"
#include "core/tensor/cpu/packed_rows.h"
#include "core/tensor/cpu/scratch.h"
#include "core/tensor/cpu/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/cross_entropy_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "core/tensor/cpu/gemm_block-inl.h"
#include "hwy/contrib/math/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu::HWY_NAMESPACE {

constexpr int64_t kTile = 256;  // logits per token and step

/// Running statistics of one token's logits.
struct TokenState {
  float largest;    // so far
  float sum;        // of exp(logit - largest)
  float plain_sum;  // of logits, for label smoothing
  float target;     // the target's logit
};

/// The part of `problem` one thread works on: a block of tokens against the whole vocabulary.
class Block {
 public:
  Block(const CrossEntropyProblem& problem, int64_t begin, int64_t end, float* losses,
        float* gradient, float* normalizers)
      : p_(problem),
        begin_(begin),
        count_(end - begin),
        losses_(losses),
        gradient_(gradient),
        normalizers_(normalizers) {
    logits_ = scratch<float>(Scratch::kLogits, static_cast<size_t>(count_ * kTile));
    states_ = scratch<TokenState>(Scratch::kActivation, static_cast<size_t>(count_));
    for (int64_t i = 0; i < count_; ++i)
      states_[i] = {-std::numeric_limits<float>::infinity(), 0.0f, 0.0f, 0.0f};
    if (p_.bf16) {
      rounded_ = scratch_bf16_rows(Scratch::kQuantized, count_, p_.width);
      round_rows({.a = p_.hidden + begin_ * p_.width,
                  .stride = p_.width,
                  .m = count_,
                  .k = p_.width,
                  .on_all_threads = false},
                 rounded_);
      return;
    }
    if (!p_.int8) {
      packed_.emplace(p_.hidden + begin_ * p_.width, p_.width, count_, p_.width);
      return;
    }
    quantized_ = scratch_rows(Scratch::kQuantized, count_, p_.width);
    quantize_rows({.x = p_.hidden + begin_ * p_.width,
                   .x_stride = p_.width,
                   .m = count_,
                   .columns = p_.width,
                   .on_all_threads = false},
                  quantized_);
  }

  void run() {
    const bool twice = p_.softcap != 0.0f || p_.label_smoothing != 0.0f;
    const int64_t vocabulary = p_.head.weight.rows;
    for (int64_t v = 0; v < vocabulary; v += kTile) {
      const int64_t columns = std::min(kTile, vocabulary - v);
      make_logits(v, columns);
      for (int64_t i = 0; i < count_; ++i)
        add_to_state(i, v, columns, gradient_ && !twice && v > 0);
      if (gradient_ && !twice) add_weighted_rows(v, columns, v > 0);
    }
    if (gradient_ && twice) {
      for (int64_t v = 0; v < vocabulary; v += kTile) {
        const int64_t columns = std::min(kTile, vocabulary - v);
        make_logits(v, columns);
        for (int64_t i = 0; i < count_; ++i) to_logit_gradient(i, v, columns);
        add_weighted_rows(v, columns, v > 0);
      }
    }
    for (int64_t i = 0; i < count_; ++i) finish(i, gradient_ && !twice);
  }

 private:
  RightFactor head_rows(RightFactor::Form form, int64_t v, int64_t columns) const {
    RightFactor part = p_.head;
    part.form = form;
    part.weight = p_.head.weight.slice(v, columns);
    if (part.weight.quantized()) {
      part.scales += v * part.weight.groups();
      part.biases += v * part.weight.groups();
    }
    return part;
  }

  float* gradient_row(int64_t i) const { return gradient_ + (begin_ + i) * p_.width; }

  void make_logits(int64_t v, int64_t columns) {
    const GemmOutput output{.c = logits_,
                            .stride = kTile,
                            .m = count_,
                            .n = columns,
                            .bias = p_.bias ? p_.bias + v : nullptr};
    if (p_.int8) {
      int8_gemm_on_this_thread({.weight = p_.int8, .row_begin = v, .a = quantized_}, output);
    } else if (p_.bf16) {
      const Bf16Term term{rounded_, p_.width,
                          head_rows(RightFactor::Form::kWeightTransposed, v, columns)};
      bf16_gemm_on_this_thread({&term, 1}, output);
    } else {
      const GemmTerm term{.k = p_.width,
                          .b = head_rows(RightFactor::Form::kWeightTransposed, v, columns),
                          .packed = packed_->data()};
      gemm_block({&term, 1}, output);
    }
    if (p_.logit_scale == 1.0f && p_.softcap == 0.0f) return;
    for (int64_t i = 0; i < count_; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        float& logit = logits_[i * kTile + j];
        logit *= p_.logit_scale;
        if (p_.softcap != 0.0f) logit = p_.softcap * std::tanh(logit / p_.softcap);
      }
  }

  /// Folds a tile into token i's state; leaves exp(logit - largest) in place of the logits.
  void add_to_state(int64_t i, int64_t v, int64_t columns, bool rescale_gradient) {
    const hn::ScalableTag<float> d;
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
    float* row = logits_ + i * kTile;
    TokenState& state = states_[i];
    const int64_t target = p_.targets[begin_ + i];
    if (target >= v && target < v + columns) state.target = row[target - v];
    for (int64_t j = columns; j % lanes != 0; ++j) row[j] = -std::numeric_limits<float>::infinity();

    auto most = hn::Set(d, state.largest);
    for (int64_t j = 0; j < columns; j += lanes) most = hn::Max(most, hn::Load(d, row + j));
    const float largest = hn::GetLane(hn::MaxOfLanes(d, most));
    if (p_.label_smoothing != 0.0f)
      for (int64_t j = 0; j < columns; ++j) state.plain_sum += row[j];
    if (largest > state.largest) {
      const float shrink = std::exp(state.largest - largest);
      state.sum *= shrink;
      state.largest = largest;
      if (rescale_gradient) {
        float* gradient = gradient_row(i);
        for (int64_t c = 0; c < p_.width; ++c) gradient[c] *= shrink;
      }
    }
    auto sum = hn::Zero(d);
    const auto offset = hn::Set(d, state.largest);
    for (int64_t j = 0; j < columns; j += lanes) {
      const auto value = hn::Exp(d, hn::Sub(hn::Load(d, row + j), offset));
      sum = hn::Add(sum, value);
      hn::Store(value, d, row + j);
    }
    state.sum += hn::GetLane(hn::SumOfLanes(d, sum));
  }

  /// Turns a tile of logits into the loss's derivatives by the raw products.
  void to_logit_gradient(int64_t i, int64_t v, int64_t columns) {
    float* row = logits_ + i * kTile;
    const TokenState& state = states_[i];
    const int64_t target = p_.targets[begin_ + i] - v;
    const float even = p_.label_smoothing / static_cast<float>(p_.head.weight.rows);
    const float inverse = 1.0f / state.sum;
    for (int64_t j = 0; j < columns; ++j) {
      const float logit = row[j];
      float slope = std::exp(logit - state.largest) * inverse - even;
      if (j == target) slope -= 1.0f - p_.label_smoothing;
      if (p_.softcap != 0.0f) slope *= 1.0f - logit * logit / (p_.softcap * p_.softcap);
      row[j] = slope * p_.logit_scale;
    }
  }

  /// gradient += tile W.
  void add_weighted_rows(int64_t v, int64_t columns, bool accumulate) {
    const GemmOutput output{.c = gradient_row(0),
                            .stride = p_.width,
                            .m = count_,
                            .n = p_.width,
                            .accumulate = accumulate};
    if (p_.int8) {
      const Int8Rows rows = scratch_rows(Scratch::kQuantizedTile, count_, columns);
      quantize_rows({.x = logits_,
                     .x_stride = kTile,
                     .m = count_,
                     .columns = columns,
                     .on_all_threads = false},
                    rows);
      int8_gemm_on_this_thread(
          {.weight = &p_.int8->transposed(p_.head.weight), .column_begin = v, .a = rows}, output);
    } else if (p_.bf16) {
      const Bf16Rows rows = scratch_bf16_rows(Scratch::kQuantizedTile, count_, columns);
      round_rows(
          {.a = logits_, .stride = kTile, .m = count_, .k = columns, .on_all_threads = false},
          rows);
      const Bf16Term term{rows, columns, head_rows(RightFactor::Form::kWeight, v, columns)};
      bf16_gemm_on_this_thread({&term, 1}, output);
    } else {
      const GemmTerm term{logits_, kTile, columns,
                          head_rows(RightFactor::Form::kWeight, v, columns)};
      gemm_block({&term, 1}, output);
    }
  }

  void finish(int64_t i, bool normalize_gradient) {
    const int64_t target = p_.targets[begin_ + i];
    if (target < 0 || target >= p_.head.weight.rows) {
      losses_[begin_ + i] = std::numeric_limits<float>::quiet_NaN();
      if (gradient_) normalizers_[begin_ + i] = losses_[begin_ + i];
      return;
    }
    const TokenState& state = states_[i];
    const int64_t vocabulary = p_.head.weight.rows;
    const float smoothing = p_.label_smoothing;
    const float normalizer = std::log(state.sum) + state.largest;
    if (gradient_) normalizers_[begin_ + i] = normalizer;
    losses_[begin_ + i] = normalizer - (1.0f - smoothing) * state.target -
                          smoothing * state.plain_sum / static_cast<float>(vocabulary);
    if (!normalize_gradient) return;
    float* gradient = gradient_row(i);
    float* row = scratch<float>(Scratch::kGradient, static_cast<size_t>(p_.width));
    read_head_row(target, row);
    const float factor = p_.logit_scale / state.sum;
    for (int64_t c = 0; c < p_.width; ++c)
      gradient[c] = gradient[c] * factor - p_.logit_scale * row[c];
  }

  void read_head_row(int64_t v, float* out) const {
    RightFactor head{.form = RightFactor::Form::kWeight, .weight = p_.head.weight.slice(v, 1)};
    if (head.weight.quantized()) {
      const int64_t groups = head.weight.groups();
      float* scales = scratch<float>(Scratch::kScales, static_cast<size_t>(2 * groups));
      convert_scales(head.weight, scales, scales + groups);
      head.scales = scales;
      head.biases = scales + groups;
    }
    const int64_t width = 2 * static_cast<int64_t>(hn::Lanes(hn::ScalableTag<float>()));
    float* panel = scratch<float>(Scratch::kPanel, static_cast<size_t>(width));
    for (int64_t c = 0; c < p_.width; c += width) {
      const int64_t columns = std::min(width, p_.width - c);
      fill_panel(head, {0, 1, c, columns, width}, panel);
      std::copy_n(panel, columns, out + c);
    }
  }

  const CrossEntropyProblem& p_;
  int64_t begin_, count_;
  float* losses_;
  float* gradient_;
  float* normalizers_;
  float* logits_;
  TokenState* states_;
  Int8Rows quantized_;
  Bf16Rows rounded_;
  std::optional<PackedRows> packed_;  // the block's hidden rows
};

void cross_entropy_blocks(const CrossEntropyProblem& problem, float* losses, float* gradient,
                          float* normalizers) {
  // A block's hidden rows, its tile of logits and a panel of the head share the second-level cache.
  const int64_t fitting = std::clamp<int64_t>(448 * 1024 / (4 * problem.width), 24, 192);
  const int64_t threads = thread_count();
  int64_t blocks = (problem.tokens + fitting - 1) / fitting;
  blocks = (blocks + threads - 1) / threads * threads;
  blocks = std::min(blocks, problem.tokens);
  if (problem.int8 && gradient)
    problem.int8->transposed(problem.head.weight);  // made on all threads
  parallel_for(blocks, 1, [&](int64_t from, int64_t to, int) {
    for (int64_t b = from; b < to; ++b)
      Block(problem, problem.tokens * b / blocks, problem.tokens * (b + 1) / blocks, losses,
            gradient, normalizers)
          .run();
  });
}

}  // namespace toolkit::tensor::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(cross_entropy_blocks);

void cross_entropy(const CrossEntropyProblem& problem, float* losses, float* gradient,
                   float* normalizers) {
  if (problem.tokens > 0)
    HWY_DYNAMIC_DISPATCH(cross_entropy_blocks)(problem, losses, gradient, normalizers);
}

}  // namespace toolkit::tensor::cpu
#endif
