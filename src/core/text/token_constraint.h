#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace toolkit::text {

/// Says at every step which tokens may come next so that the whole text obeys a grammar: through
/// the Rust crate `llguidance`. Belongs to one text.
class TokenConstraint {
 public:
  virtual ~TokenConstraint() = default;

  /// Writes one bit per token of the vocabulary, lowest first: 1 where it may come next. The stop
  /// ids are among them where the text may end. (ceil(V / 32)). Throws Error(kUserInput) where
  /// telling takes more work than a grammar may.
  virtual void allowed(std::span<uint32_t> bits) = 0;
  /// The token that came. Throws Error(kInternal) for one that was not allowed.
  virtual void accept(int32_t id) = 0;
  /// Tokens that must come next, one after another, as far as that is known: at most `most`.
  virtual std::vector<int32_t> forced(size_t most) const {
    (void)most;
    return {};
  }
  /// Nothing but a stop token may come.
  virtual bool complete() const = 0;
};

}  // namespace toolkit::text
