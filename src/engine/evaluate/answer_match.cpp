#include "engine/evaluate/answer_match.h"

#include <algorithm>
#include <cctype>
#include <regex>

#include "core/base/error.h"

namespace toolkit::engine {

namespace {

// std::regex recurses for each character it looks at.
constexpr size_t kMostBytes = 8192;

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

}  // namespace

struct AnswerMatcher::Pattern {
  std::regex expression;
};

AnswerMatcher::AnswerMatcher(const MatchRules& rules) : rules_(rules) {
  if (rules.pattern.empty()) return;
  try {
    pattern_ = std::make_unique<Pattern>(Pattern{std::regex(rules.pattern)});
  } catch (const std::regex_error& error) {
    fail(ErrorKind::kUserInput, "'{}' is no regular expression: {}", rules.pattern, error.what());
  }
}

AnswerMatcher::~AnswerMatcher() = default;

std::string AnswerMatcher::answer_in(const std::string& said) const {
  if (!pattern_) return trimmed(said);
  const std::string text = said.substr(0, kMostBytes);
  std::smatch match;
  if (!std::regex_search(text, match, pattern_->expression)) return "";
  return trimmed(match[match.size() > 1 ? 1 : 0].str());
}

std::string AnswerMatcher::normalized(const std::string& text) const {
  std::string kept;
  for (const char c : trimmed(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if (rules_.ignore_punctuation && byte < 128 && std::ispunct(byte)) continue;
    kept += rules_.ignore_case && byte < 128 ? static_cast<char>(std::tolower(byte)) : c;
  }
  return trimmed(kept);
}

bool AnswerMatcher::matches(const std::string& said, std::span<const std::string> expected) const {
  const std::string answer = answer_in(said);
  if (pattern_ && answer.empty()) return false;
  return std::any_of(expected.begin(), expected.end(),
                     [&](const std::string& one) { return normalized(one) == normalized(answer); });
}

}  // namespace toolkit::engine
