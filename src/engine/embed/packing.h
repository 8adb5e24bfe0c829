#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace toolkit::engine {

/// Texts computed in one pass: one row of tokens, text after text.
struct PackedTexts {
  std::vector<size_t> texts;  // which, in order
  std::vector<int32_t> ids, segments, positions;
  std::vector<size_t> begins;  // first token of each text, then the row's length
};

/// Cuts a list of texts (token ids) into rows of at most `row_tokens` tokens, those of like length
/// together; a longer text has a row of its own. Nothing is padded: a token sees its own segment.
std::vector<PackedTexts> pack_texts(std::span<const std::vector<int32_t>> texts, int row_tokens);

}  // namespace toolkit::engine
