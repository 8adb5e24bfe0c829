#include "core/data/duplicates.h"

#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace toolkit::data {
namespace {

void append_normalized(std::string_view text, std::string& key) {
  bool gap = false;
  const size_t begin = key.size();
  for (char c : text) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v') {
      gap = true;
      continue;
    }
    if (gap && key.size() > begin) key += ' ';
    gap = false;
    key += c;
  }
}

// Parts are divided by NUL, which no row contains.
std::string key_of(const data::Row& row) {
  std::string key;
  for (const text::Message& message : row.messages) {
    key += message.role;
    key += '\0';
    append_normalized(message.content, key);
    key += '\0';
    key += message.extra_json;
    key += '\0';
  }
  for (const text::Message& message : row.rejected) {
    append_normalized(message.content, key);
    key += '\0';
  }
  append_normalized(row.text, key);
  key += '\0';
  key += row.tools_json;
  return key;
}

std::string question_of(const data::Row& row) {
  std::string key;
  for (const text::Message& message : row.messages) {
    if (message.role == "assistant") break;
    key += message.role;
    key += '\0';
    append_normalized(message.content, key);
    key += '\0';
  }
  return key;
}

}  // namespace

std::vector<Duplicate> find_leaks(std::span<const std::vector<data::Row>> splits) {
  std::unordered_map<std::string, Place> asked;
  std::unordered_set<std::string> known;
  std::vector<Duplicate> found;
  for (size_t split = 0; split < splits.size(); ++split) {
    for (const data::Row& row : splits[split]) {
      std::string question = question_of(row);
      if (question.empty()) continue;
      const Place place = {.split = static_cast<int>(split), .line = row.line};
      if (split == 0) {
        asked.try_emplace(std::move(question), place);
        known.insert(key_of(row));
      } else if (const auto first = asked.find(question);
                 first != asked.end() && !known.contains(key_of(row))) {
        found.push_back({.first = first->second, .again = place});
      }
    }
  }
  return found;
}

std::vector<Duplicate> find_duplicates(std::span<const std::vector<data::Row>> splits) {
  std::unordered_map<std::string, Place> seen;
  std::vector<Duplicate> found;
  for (size_t split = 0; split < splits.size(); ++split) {
    for (const data::Row& row : splits[split]) {
      const Place place = {.split = static_cast<int>(split), .line = row.line};
      const auto [first, added] = seen.try_emplace(key_of(row), place);
      if (!added) found.push_back({.first = first->second, .again = place});
    }
  }
  return found;
}

}  // namespace toolkit::data
