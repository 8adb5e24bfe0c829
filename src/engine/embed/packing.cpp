#include "engine/embed/packing.h"

#include <algorithm>
#include <numeric>

namespace toolkit::engine {

std::vector<PackedTexts> pack_texts(std::span<const std::vector<int32_t>> texts, int row_tokens) {
  std::vector<size_t> order(texts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return texts[a].size() > texts[b].size(); });
  std::vector<PackedTexts> rows;
  for (const size_t text : order) {
    const std::vector<int32_t>& ids = texts[text];
    if (rows.empty() || rows.back().ids.size() + ids.size() > static_cast<size_t>(row_tokens))
      rows.push_back({.texts = {}, .ids = {}, .segments = {}, .positions = {}, .begins = {0}});
    PackedTexts& row = rows.back();
    const auto segment = static_cast<int32_t>(row.texts.size());
    row.texts.push_back(text);
    for (size_t i = 0; i < ids.size(); ++i) {
      row.ids.push_back(ids[i]);
      row.segments.push_back(segment);
      row.positions.push_back(static_cast<int32_t>(i));
    }
    row.begins.push_back(row.ids.size());
  }
  return rows;
}

}  // namespace toolkit::engine
