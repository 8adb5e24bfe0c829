#include "projects/finetune/sample_answer.h"

#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "engine/generate/generator.h"

namespace toolkit::finetune {

namespace {

constexpr int kAnswerTokens = 64;

const data::Row& chosen_row(const data::Splits& splits, int number) {
  return splits.test.empty() ? splits.valid.at(number - 1) : splits.test.at(number - 1);
}

// The conversation up to its last answer.
std::vector<text::Message> question_of(const data::Row& row) {
  std::vector<text::Message> messages = row.messages;
  while (!messages.empty() && messages.back().role != "user") messages.pop_back();
  return messages;
}

std::string trimmed(std::string text) {
  const size_t end = text.find_last_not_of(" \t\r\n");
  return end == std::string::npos ? "" : text.substr(0, end + 1);
}

}  // namespace

std::string answer(const engine::LanguageModel& model, const data::Splits& splits, int number) {
  const data::Row& row = chosen_row(splits, number);
  const std::string prompt = model.chat.render(
      question_of(row), {.add_generation_prompt = true, .tools_json = row.tools_json});
  const std::vector<int32_t> ids = model.tokenizer->encode(prompt, false).ids;
  engine::Generator generator(model);
  const engine::GenerateResult result = generator.generate(
      ids, {.sampling = {.temperature = 0.0}, .max_tokens = kAnswerTokens, .interrupted = [] {
              return InterruptGuard::requested();
            }});
  return trimmed(result.text);
}

std::optional<SampleAnswer> ask_base(const engine::LanguageModel& model, const data::Splits& splits,
                                     int number, std::vector<std::string>& notes) {
  const std::vector<data::Row>& rows = splits.test.empty() ? splits.valid : splits.test;
  if (number > static_cast<int>(rows.size())) {
    if (!rows.empty())
      notes.push_back(
          fmt::format("--sample {}: there are only {} rows to ask", number, rows.size()));
    return std::nullopt;
  }
  const data::Row& row = rows[number - 1];
  const std::vector<text::Message> question = question_of(row);
  if (question.empty()) return std::nullopt;  // plain text: nothing to ask
  SampleAnswer sample{.question = question.back().content};
  if (question.size() < row.messages.size())
    sample.expected = row.messages[question.size()].content;
  sample.base = answer(model, splits, number);
  return sample;
}

}  // namespace toolkit::finetune
