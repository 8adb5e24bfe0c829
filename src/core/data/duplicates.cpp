#include "core/data/duplicates.h"

#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "core/hash/hasher.h"

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
std::string said_by(const Row& row) {
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

std::string asked_by(const Row& row) {
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

uint64_t number_of(const std::string& text) {
  const auto digest = hash::hash_bytes(
      hash::Algorithm::kSha256, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  return std::stoull(digest.hex.substr(0, 16), nullptr, 16);
}

Place place_of(size_t split, const RowKey& row) {
  return {.split = static_cast<int>(split), .line = row.line};
}

}  // namespace

RowKey row_key(const Row& row) {
  const std::string asked = asked_by(row);
  return {.said = number_of(said_by(row)),
          .asked = asked.empty() ? 0 : number_of(asked),
          .line = row.line};
}

std::vector<Duplicate> find_duplicates(std::span<const std::span<const RowKey>> splits) {
  std::unordered_map<uint64_t, Place> seen;
  std::vector<Duplicate> found;
  for (size_t split = 0; split < splits.size(); ++split) {
    for (const RowKey& row : splits[split]) {
      const auto [first, added] = seen.try_emplace(row.said, place_of(split, row));
      if (!added) found.push_back({.first = first->second, .again = place_of(split, row)});
    }
  }
  return found;
}

std::vector<Duplicate> find_leaks(std::span<const std::span<const RowKey>> splits) {
  std::unordered_map<uint64_t, Place> asked;
  std::unordered_set<uint64_t> known;
  std::vector<Duplicate> found;
  for (size_t split = 0; split < splits.size(); ++split) {
    for (const RowKey& row : splits[split]) {
      if (row.asked == 0) continue;
      if (split == 0) {
        asked.try_emplace(row.asked, place_of(split, row));
        known.insert(row.said);
      } else if (const auto first = asked.find(row.asked);
                 first != asked.end() && !known.contains(row.said)) {
        found.push_back({.first = first->second, .again = place_of(split, row)});
      }
    }
  }
  return found;
}

}  // namespace toolkit::data
