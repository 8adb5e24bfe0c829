#include "engine/evaluate/choices.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/data/samples.h"

namespace toolkit::engine {

namespace {

/// Code points of UTF-8 text, at least 1.
double characters(const std::string& text) {
  const auto count = std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  });
  return static_cast<double>(std::max<long>(1, count));
}

/// Context and choice as one row whose choice is to be predicted. Spaces at the context's end go
/// to the choice: tokenizers join a space with the word behind it.
data::Sample sample_of(const LanguageModel& model, const ChoiceQuestion& question,
                       const std::string& choice, bool add_special) {
  const size_t end = question.context.find_last_not_of(" \t\n\r") + 1;
  const std::string context = question.context.substr(0, end);
  const std::string whole = question.context + question.delimiter + choice;
  data::Sample sample{.ids = model.tokenizer->encode(whole, add_special).ids};
  size_t given = model.tokenizer->encode(context, add_special).ids.size();
  if (given == 0) {
    sample.ids.insert(sample.ids.begin(), model.eos_id);
    given = 1;
  }
  if (given >= sample.ids.size())
    fail(ErrorKind::kUserInput, "{}: the choice '{}' has no token of its own after the question",
         question.where, choice);
  const int limit = model.decoder->config().max_positions;
  if (limit > 0 && sample.ids.size() > static_cast<size_t>(limit))
    fail(ErrorKind::kUserInput, "{}: question and choice are {} tokens, the model takes {}",
         question.where, sample.ids.size(), limit);
  for (size_t i = 0; i < sample.ids.size(); ++i) sample.supervised.push_back(i >= given);
  return sample;
}

int likeliest(const std::vector<double>& values) {
  return static_cast<int>(std::max_element(values.begin(), values.end()) - values.begin());
}

}  // namespace

std::vector<ChoiceAnswer> answer_choices(const LanguageModel& model,
                                         std::span<const ChoiceQuestion> questions,
                                         bool add_special, const EvaluateOptions& options) {
  std::vector<data::Sample> samples;
  for (const ChoiceQuestion& question : questions)
    for (const std::string& choice : question.choices)
      samples.push_back(sample_of(model, question, choice, add_special));
  const std::vector<RowLoss> losses = row_losses(*model.decoder, samples, options);
  std::vector<ChoiceAnswer> answers;
  size_t next = 0;
  for (const ChoiceQuestion& question : questions) {
    ChoiceAnswer answer;
    std::vector<double> by_length;
    for (const std::string& choice : question.choices) {
      answer.log_likelihoods.push_back(-losses[next++].sum);
      by_length.push_back(answer.log_likelihoods.back() / characters(choice));
    }
    answer.picked = likeliest(answer.log_likelihoods);
    answer.picked_by_length = likeliest(by_length);
    answers.push_back(std::move(answer));
  }
  return answers;
}

}  // namespace toolkit::engine
