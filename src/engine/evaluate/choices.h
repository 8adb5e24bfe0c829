#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/evaluate/evaluate.h"
#include "engine/language_model.h"

namespace toolkit::engine {

/// A question with the answers it may have, as the model reads them: context, delimiter, choice.
struct ChoiceQuestion {
  std::string context, delimiter;
  std::vector<std::string> choices;
  std::string where;  // "file:line", for messages
};

struct ChoiceAnswer {
  std::vector<double> log_likelihoods;  // of each choice: sum over its tokens, nats
  int picked = 0;                       // the likeliest: judged by it, accuracy is `acc`
  int picked_by_length = 0;             // the likeliest per character: `acc_norm`
};

/// How likely the model finds each choice after its context. Splits tokens and normalises as
/// lm-evaluation-harness does (loglikelihood requests; acc_norm divides by the characters of the
/// choice without its delimiter), so that figures can be compared with it. `add_special` puts the
/// tokenizer's BOS before the context. Throws Error(kUserInput) for a question that is longer than
/// the model's context. Stops early, the rest without log-likelihoods, when `progress` (choices
/// done, all choices) says so.
std::vector<ChoiceAnswer> answer_choices(const LanguageModel& model,
                                         std::span<const ChoiceQuestion> questions,
                                         bool add_special, const EvaluateOptions& options);

}  // namespace toolkit::engine
