#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/data/chat_rows.h"
#include "core/text/chat_template.h"
#include "core/text/tokenizer.h"

namespace toolkit::data {

/// A tokenized row. supervised[i] says that token i is to be predicted (from the tokens before it);
/// supervised[0] is always false.
struct Sample {
  std::vector<int32_t> ids;
  std::vector<bool> supervised;
  bool truncated = false;
  int line = 0;
  int supervised_count() const;
};

/// Which tokens lie in the byte ranges (both in ascending order): a token counts when any of its
/// bytes does. Special tokens added outside the text, {0, 0}, never do.
std::vector<bool> mark_supervised(std::span<const std::pair<uint32_t, uint32_t>> offsets,
                                  std::span<const std::pair<size_t, size_t>> ranges);

/// Renders with the chat template, tokenizes once, maps the template's assistant ranges to tokens
/// by offsets. Plain text rows get the EOS token. Of a preference row: the chosen
/// conversation, its answer supervised. Longer than max_length: cut at the end, `truncated` set.
Sample make_sample(const Row& row, const text::Tokenizer& tokenizer, const text::ChatTemplate& chat,
                   int32_t eos_id, int max_length);

/// Both answers of a preference row, each behind the same prompt.
struct PreferenceSamples {
  Sample chosen, rejected;
};

/// The two conversations of a preference row as make_sample makes them, except that only what the
/// assistant says behind the prompt is supervised. Where both begin with the same tokens,
/// shared_prefix({chosen, rejected}) tells how many. Cut at the end to max_length: an answer may
/// be left with no supervised token. Throws Error(kInternal) for a row that is no preference row,
/// Error(kUnsupported) if the template does not mark each assistant turn.
PreferenceSamples make_preference_samples(const Row& row, const text::Tokenizer& tokenizer,
                                          const text::ChatTemplate& chat, int max_length);

}  // namespace toolkit::data
