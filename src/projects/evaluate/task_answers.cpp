#include "projects/evaluate/task_answers.h"

#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/base/progress.h"
#include "engine/evaluate/answer_match.h"
#include "engine/generate/generator.h"

namespace toolkit::evaluate {

namespace {

/// The question as the model reads it, up to where its answer begins.
std::string prompt_of(const engine::LanguageModel& model, const TaskRow& row, bool chat) {
  return chat ? model.chat.render({{.role = "user", .content = row.question}},
                                  {.add_generation_prompt = true})
              : row.question;
}

void stop_if_asked() {
  if (InterruptGuard::requested()) fail(ErrorKind::kUserInput, "interrupted");
}

TaskAnswers choose(const engine::LanguageModel& model, const Task& task, const Config& config,
                   Progress& progress) {
  const bool chat = config.task_format == "chat";
  std::vector<engine::ChoiceQuestion> questions;
  int64_t choices = 0;
  for (const TaskRow& row : task.rows) {
    questions.push_back({.context = prompt_of(model, row, chat),
                         .delimiter = chat ? "" : " ",
                         .choices = row.choices,
                         .where = fmt::format("{}:{}", task.file.string(), row.line)});
    choices += static_cast<int64_t>(row.choices.size());
  }
  const engine::EvaluateOptions options{
      .batch_tokens = config.batch_tokens,
      .compute = model.decoder->linears().front().second->compute,
      .progress = [&](int64_t done, int64_t) {
        progress.update(done * static_cast<int64_t>(task.rows.size()) / choices);
        return !InterruptGuard::requested();
      }};
  TaskAnswers answers;
  answers.choices = engine::answer_choices(model, questions, !chat, options);
  stop_if_asked();
  for (size_t i = 0; i < task.rows.size(); ++i) {
    const engine::ChoiceAnswer& answer = answers.choices[i];
    answers.correct.push_back(answer.picked == task.rows[i].right ? 1 : 0);
    answers.correct_by_length.push_back(answer.picked_by_length == task.rows[i].right ? 1 : 0);
    if (task.preference)
      answers.margins.push_back(answer.log_likelihoods[0] - answer.log_likelihoods[1]);
  }
  return answers;
}

TaskAnswers say(const engine::LanguageModel& model, const Task& task, const Config& config,
                Progress& progress) {
  const bool chat = config.task_format == "chat";
  const engine::AnswerMatcher matcher({.pattern = config.answer_pattern,
                                       .ignore_case = config.ignore_case,
                                       .ignore_punctuation = config.ignore_punctuation});
  engine::Generator generator(model);
  TaskAnswers answers;
  for (const TaskRow& row : task.rows) {
    progress.update(static_cast<int64_t>(answers.said.size()));
    const engine::GenerateResult result =
        generator.generate(model.tokenizer->encode(prompt_of(model, row, chat), !chat).ids,
                           {.max_tokens = config.answer_tokens,
                            .interrupted = [] { return InterruptGuard::requested(); }});
    stop_if_asked();
    answers.said.push_back(result.text);
    answers.correct.push_back(matcher.matches(result.text, row.answers) ? 1 : 0);
  }
  return answers;
}

}  // namespace

TaskAnswers answer_task(const engine::LanguageModel& model, const Task& task, const Config& config,
                        const std::string& label, bool quiet) {
  Progress progress(label + " on " + task.name, static_cast<int64_t>(task.rows.size()), quiet);
  TaskAnswers answers = task.multiple_choice ? choose(model, task, config, progress)
                                             : say(model, task, config, progress);
  progress.finish();
  return answers;
}

std::vector<TaskMetric> metrics_of(const Task& task, const TaskAnswers* base,
                                   const TaskAnswers* tuned) {
  const auto metric = [&](const std::string& name, auto values) {
    TaskMetric one{.name = name};
    if (base) one.base = engine::mean_score(base->*values);
    if (tuned) one.tuned = engine::mean_score(tuned->*values);
    if (base && tuned) one.gain = engine::mean_gain(base->*values, tuned->*values);
    return one;
  };
  if (!task.multiple_choice) return {metric("exact_match", &TaskAnswers::correct)};
  std::vector<TaskMetric> metrics = {metric("acc", &TaskAnswers::correct),
                                     metric("acc_norm", &TaskAnswers::correct_by_length)};
  if (task.preference) metrics.push_back(metric("margin", &TaskAnswers::margins));
  return metrics;
}

}  // namespace toolkit::evaluate
