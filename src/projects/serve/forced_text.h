#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/text/token_constraint.h"

namespace toolkit::serve {

/// Lets exactly these tokens come, one after another, and then nothing: an answer that is forced to
/// be a given text tells the log-probability of each of its tokens.
class ForcedText : public text::TokenConstraint {
 public:
  explicit ForcedText(std::vector<int32_t> ids) : ids_(std::move(ids)) {}
  void allowed(std::span<uint32_t> bits) override;
  void accept(int32_t id) override;
  std::vector<int32_t> forced(size_t most) const override;
  bool complete() const override { return next_ == ids_.size(); }

 private:
  std::vector<int32_t> ids_;
  size_t next_ = 0;
};

}  // namespace toolkit::serve
