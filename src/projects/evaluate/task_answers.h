#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/evaluate/choices.h"
#include "engine/evaluate/scores.h"
#include "projects/evaluate/config.h"
#include "projects/evaluate/task_rows.h"

namespace toolkit::evaluate {

/// What one model answered to a task, a value for each question.
struct TaskAnswers {
  std::vector<double> correct;            // 1 or 0: acc, or exact_match
  std::vector<double> correct_by_length;  // multiple choice: acc_norm
  /// Preference rows: log-likelihood of the chosen answer less that of the rejected one, nats.
  std::vector<double> margins;
  std::vector<engine::ChoiceAnswer> choices;
  std::vector<std::string> said;  // exact match
};

/// Asks every question. Throws Error(kUserInput) "interrupted" on Ctrl-C.
TaskAnswers answer_task(const engine::LanguageModel& model, const Task& task, const Config& config,
                        const std::string& label, bool quiet);

/// One metric of a task: "acc", "acc_norm", "margin" or "exact_match".
struct TaskMetric {
  std::string name;
  std::optional<engine::Score> base, tuned, gain;  // gain: tuned - base, paired by question
};

std::vector<TaskMetric> metrics_of(const Task& task, const TaskAnswers* base,
                                   const TaskAnswers* tuned);

}  // namespace toolkit::evaluate
