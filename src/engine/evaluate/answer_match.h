#pragma once

#include <memory>
#include <span>
#include <string>

namespace toolkit::engine {

/// What counts as the same answer, beside white space at both ends.
struct MatchRules {
  std::string pattern;  // regular expression (ECMAScript): the answer is its first group in what
                        // was said, or the whole match if it has none; "": all that was said
  bool ignore_case = false;         // of ASCII letters
  bool ignore_punctuation = false;  // ASCII punctuation is left out of both
};

/// Tells whether what a model said is the answer.
class AnswerMatcher {
 public:
  /// Throws Error(kUserInput) for a pattern that is no regular expression.
  explicit AnswerMatcher(const MatchRules& rules);
  ~AnswerMatcher();

  /// The answer in what was said; "" if the pattern is not in it. At most the first 8 KiB count.
  std::string answer_in(const std::string& said) const;
  /// Whether that is one of `expected`.
  bool matches(const std::string& said, std::span<const std::string> expected) const;

 private:
  std::string normalized(const std::string& text) const;

  struct Pattern;
  MatchRules rules_;
  std::unique_ptr<Pattern> pattern_;
};

}  // namespace toolkit::engine
