#include "projects/finetune/sample_answer.h"

#include "core/base/error.h"
#include "engine/generate/row_answer.h"

namespace toolkit::finetune {

namespace {

constexpr int kAnswerTokens = 64;

const data::Row& chosen_row(const data::Splits& splits, int number) {
  return splits.test.empty() ? splits.valid.at(number - 1) : splits.test.at(number - 1);
}

}  // namespace

std::string answer(const engine::LanguageModel& model, const data::Splits& splits, int number) {
  engine::Generator generator(model);
  return engine::answer_row(generator, model, chosen_row(splits, number), kAnswerTokens);
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
  const std::vector<text::Message> question = engine::question_of(row);
  if (question.empty()) return std::nullopt;  // plain text: nothing to ask
  SampleAnswer sample{.question = question.back().content,
                      .expected = engine::expected_answer(row)};
  sample.base = answer(model, splits, number);
  return sample;
}

}  // namespace toolkit::finetune
