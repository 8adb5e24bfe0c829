#include "projects/finetune/sample_answer.h"

#include "core/base/error.h"
#include "engine/generate/row_answer.h"

namespace toolkit::finetune {

namespace {

constexpr int kAnswerTokens = 64;

const data::RowSet& askable_rows(const data::Splits& splits) {
  return splits.test.empty() ? splits.valid : splits.test;
}

}  // namespace

std::string answer(const engine::LanguageModel& model, const data::Splits& splits, int number) {
  engine::Generator generator(model);
  return engine::answer_row(
      generator, model, askable_rows(splits).at(static_cast<size_t>(number) - 1), kAnswerTokens);
}

std::optional<SampleAnswer> ask_base(const engine::LanguageModel& model, const data::Splits& splits,
                                     int number, std::vector<std::string>& notes) {
  const data::RowSet& rows = askable_rows(splits);
  if (number > static_cast<int>(rows.size())) {
    if (!rows.empty())
      notes.push_back(
          fmt::format("--sample {}: there are only {} rows to ask", number, rows.size()));
    return std::nullopt;
  }
  const data::Row row = rows.at(static_cast<size_t>(number) - 1);
  const std::vector<text::Message> question = engine::question_of(row);
  if (question.empty()) return std::nullopt;  // plain text: nothing to ask
  SampleAnswer sample{.question = question.back().content,
                      .expected = engine::expected_answer(row)};
  sample.base = answer(model, splits, number);
  return sample;
}

}  // namespace toolkit::finetune
