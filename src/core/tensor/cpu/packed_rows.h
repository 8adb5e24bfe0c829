#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "core/tensor/cpu/float_buffer.h"
#include "core/tensor/cpu/gemm.h"

namespace toolkit::tensor::cpu {

/// The left factor of products in the order the register tiles read it, for as long as one kernel
/// runs.
class PackedRows {
 public:
  /// Of A (m, k) with rows `stride` apart; on all threads.
  PackedRows(const float* a, int64_t stride, int64_t m, int64_t k);
  /// Of the A (m, k) whose columns lie `stride` apart: A(m, k) = a[k * stride + m].
  static PackedRows of_columns(const float* a, int64_t stride, int64_t m, int64_t k);
  const float* data() const { return buffer_.data(); }

 private:
  explicit PackedRows(FloatBuffer buffer) : buffer_(std::move(buffer)) {}

  FloatBuffer buffer_;
};

/// `terms` with every left factor packed; those that come packed stay as they are.
class PackedTerms {
 public:
  PackedTerms(std::span<const GemmTerm> terms, int64_t m) : terms_(terms.begin(), terms.end()) {
    for (GemmTerm& term : terms_)
      if (!term.packed) term.packed = packed_.emplace_back(term.a, term.stride, m, term.k).data();
  }
  std::span<const GemmTerm> terms() const { return terms_; }

 private:
  std::vector<GemmTerm> terms_;
  std::deque<PackedRows> packed_;
};

}  // namespace toolkit::tensor::cpu
