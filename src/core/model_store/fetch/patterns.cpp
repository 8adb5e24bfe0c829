#include "core/model_store/fetch/patterns.h"

#include <algorithm>

namespace toolkit::model_store {

namespace {

/// UTF-8 as code points, since `?` stands for one; a stray byte counts as one by itself.
std::u32string code_points(std::string_view text) {
  std::u32string points;
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    char32_t point = length == 1 ? lead : lead & (0x7F >> length);
    const size_t end = std::min(text.size(), i + length);
    for (++i; i < end; ++i) point = (point << 6) | (static_cast<unsigned char>(text[i]) & 0x3F);
    points += point;
  }
  return points;
}

/// "[...]" that begins at `at` of the pattern, as Python's fnmatch reads it.
struct Set {
  bool closed = false;  // else '[' stands for itself
  bool matches = false;
  size_t end = 0;  // after the ']'
};

Set match_set(const std::u32string& pattern, size_t at, char32_t character) {
  size_t first = at + 1;
  const bool negated = first < pattern.size() && pattern[first] == U'!';
  if (negated) ++first;
  // A ']' in the first place belongs to the set.
  size_t close = first < pattern.size() && pattern[first] == U']' ? first + 1 : first;
  close = pattern.find(U']', close);
  if (close == std::u32string::npos) return {};
  bool found = false;
  for (size_t i = first; i < close; ++i) {
    const bool range = i + 2 < close && pattern[i + 1] == U'-';
    if (range) {
      found |= pattern[i] <= character && character <= pattern[i + 2];
      i += 2;
    } else {
      found |= pattern[i] == character;
    }
  }
  return {.closed = true, .matches = found != negated, .end = close + 1};
}

/// Whether the pattern's element at `p` takes `character`; `next` is the element after it.
bool takes(const std::u32string& pattern, size_t p, char32_t character, size_t& next) {
  next = p + 1;
  if (pattern[p] == U'?') return true;
  if (pattern[p] == U'[') {
    const Set set = match_set(pattern, p, character);
    if (set.closed) {
      next = set.end;
      return set.matches;
    }
  }
  return pattern[p] == character;
}

}  // namespace

bool matches_pattern(std::string_view path, std::string_view pattern_text) {
  const std::u32string text = code_points(path);
  std::u32string pattern = code_points(pattern_text);
  if (pattern.ends_with(U'/')) pattern += U'*';
  // The last star takes as little as it can and one more whenever the rest does not fit: at most
  // length x length steps, whatever the pattern.
  size_t t = 0, p = 0, star = std::u32string::npos, star_text = 0;
  while (t < text.size()) {
    size_t next = 0;
    if (p < pattern.size() && pattern[p] == U'*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && takes(pattern, p, text[t], next)) {
      p = next;
      ++t;
    } else if (star != std::u32string::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == U'*') ++p;
  return p == pattern.size();
}

bool is_wanted(std::string_view path, const std::vector<std::string>& allow,
               const std::vector<std::string>& ignore) {
  const auto matches = [&](const std::string& pattern) { return matches_pattern(path, pattern); };
  const bool allowed = allow.empty() || std::any_of(allow.begin(), allow.end(), matches);
  return allowed && std::none_of(ignore.begin(), ignore.end(), matches);
}

}  // namespace toolkit::model_store
