#include "core/data/samples.h"

#include <algorithm>

#include "core/base/error.h"

namespace toolkit::data {
namespace {

// Assistant turns within the first `prompt_messages` messages are left unsupervised.
Sample chat_sample(const std::vector<text::Message>& messages, int prompt_messages,
                   const std::string& tools_json, const text::Tokenizer& tokenizer,
                   const text::ChatTemplate& chat) {
  text::RenderOptions options;
  options.tools_json = tools_json;
  text::RenderedChat rendered = chat.render_supervised(messages, options);
  if (prompt_messages > 0) {
    const auto turns = [](auto begin, auto end) {
      return std::count_if(begin, end,
                           [](const text::Message& m) { return m.role == "assistant"; });
    };
    const auto all = turns(messages.begin(), messages.end());
    if (static_cast<std::ptrdiff_t>(rendered.assistant.size()) != all)
      fail(ErrorKind::kUnsupported,
           "chat template: it marks {} turns of the assistant where the conversation has {}, so "
           "the answer cannot be told from the prompt",
           rendered.assistant.size(), all);
    rendered.assistant.erase(
        rendered.assistant.begin(),
        rendered.assistant.begin() + turns(messages.begin(), messages.begin() + prompt_messages));
  }
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

void finish(Sample& sample, int line, int max_length) {
  if (max_length < 1)
    fail(ErrorKind::kInternal, "make_sample: max_length {}, expected >= 1", max_length);
  const auto limit = static_cast<size_t>(max_length);
  sample.truncated = sample.ids.size() > limit;
  if (sample.truncated) {
    sample.ids.resize(limit);
    sample.supervised.resize(limit);
  }
  if (!sample.supervised.empty()) sample.supervised[0] = false;
  sample.line = line;
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
  Sample sample = row.messages.empty() ? text_sample(row, tokenizer, eos_id)
                                       : chat_sample(row.messages, row.prompt_messages,
                                                     row.tools_json, tokenizer, chat);
  finish(sample, row.line, max_length);
  return sample;
}

PreferenceSamples make_preference_samples(const Row& row, const text::Tokenizer& tokenizer,
                                          const text::ChatTemplate& chat, int max_length) {
  if (!row.is_preference())
    fail(ErrorKind::kInternal, "make_preference_samples: line {} has no rejected answer", row.line);
  const auto sample_of = [&](const std::vector<text::Message>& messages) {
    Sample sample = chat_sample(messages, row.prompt_messages, row.tools_json, tokenizer, chat);
    finish(sample, row.line, max_length);
    return sample;
  };
  return {.chosen = sample_of(row.messages), .rejected = sample_of(row.rejected)};
}

}  // namespace toolkit::data
