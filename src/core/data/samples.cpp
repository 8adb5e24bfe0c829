#include "core/data/samples.h"

#include <algorithm>

#include "core/base/error.h"

namespace toolkit::data {
namespace {

Sample chat_sample(const Row& row, const text::Tokenizer& tokenizer,
                   const text::ChatTemplate& chat) {
  text::RenderOptions options;
  options.tools_json = row.tools_json;
  const text::RenderedChat rendered = chat.render_supervised(row.messages, options);
  // The template writes BOS itself where the model wants one.
  text::Encoding encoding = tokenizer.encode(rendered.text, false);
  Sample sample;
  sample.supervised = mark_supervised(encoding.offsets, rendered.assistant);
  sample.ids = std::move(encoding.ids);
  return sample;
}

Sample text_sample(const Row& row, const text::Tokenizer& tokenizer, int32_t eos_id) {
  Sample sample;
  sample.ids = tokenizer.encode(row.text, true).ids;
  if (eos_id >= 0 && (sample.ids.empty() || sample.ids.back() != eos_id))
    sample.ids.push_back(eos_id);
  sample.supervised.assign(sample.ids.size(), true);
  return sample;
}

}  // namespace

int Sample::supervised_count() const {
  return static_cast<int>(std::count(supervised.begin(), supervised.end(), true));
}

std::vector<bool> mark_supervised(std::span<const std::pair<uint32_t, uint32_t>> offsets,
                                  std::span<const std::pair<size_t, size_t>> ranges) {
  std::vector<bool> marks(offsets.size(), false);
  size_t range = 0;
  for (size_t i = 0; i < offsets.size(); ++i) {
    const auto [begin, end] = offsets[i];
    // A token's end never goes back except for special tokens added outside the text, {0, 0}.
    while (range < ranges.size() && begin >= ranges[range].second && end > ranges[range].second)
      ++range;
    if (range == ranges.size()) break;
    const auto [first, last] = ranges[range];
    const bool trimmed = begin == end;  // white space whose offsets the tokenizer trimmed away
    marks[i] = end > first && (trimmed ? end <= last : begin < last);
  }
  return marks;
}

Sample make_sample(const Row& row, const text::Tokenizer& tokenizer, const text::ChatTemplate& chat,
                   int32_t eos_id, int max_length) {
  if (max_length < 1)
    fail(ErrorKind::kInternal, "make_sample: max_length {}, expected >= 1", max_length);
  Sample sample = row.messages.empty() ? text_sample(row, tokenizer, eos_id)
                                       : chat_sample(row, tokenizer, chat);
  const auto limit = static_cast<size_t>(max_length);
  sample.truncated = sample.ids.size() > limit;
  if (sample.truncated) {
    sample.ids.resize(limit);
    sample.supervised.resize(limit);
  }
  if (!sample.supervised.empty()) sample.supervised[0] = false;
  sample.line = row.line;
  return sample;
}

}  // namespace toolkit::data
