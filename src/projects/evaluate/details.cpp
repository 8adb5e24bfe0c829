#include "projects/evaluate/details.h"

#include <functional>
#include <string_view>

#include "core/base/atomic_file.h"
#include "core/base/json.h"

namespace toolkit::evaluate {

namespace {

using Append = std::function<void(std::string_view)>;

void add_line(const Append& append, const Json& object) {
  append(object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

Json answer_of(const Task& task, const TaskAnswers& answers, size_t i) {
  if (!task.multiple_choice)
    return {{"correct", answers.correct[i] > 0}, {"said", answers.said[i]}};
  const engine::ChoiceAnswer& choice = answers.choices[i];
  return {{"correct", answers.correct[i] > 0},
          {"correct_by_length", answers.correct_by_length[i] > 0},
          {"picked", choice.picked},
          {"picked_by_length", choice.picked_by_length},
          {"log_likelihoods", choice.log_likelihoods}};
}

void add_rows(const Result& result, const Append& append) {
  const auto& base = result.base_judgement;
  const auto& tuned = result.tuned_judgement;
  for (size_t i = 0; i < result.lines.size(); ++i) {
    Json line = {{"row", result.lines[i]}};
    if (base) line["base"] = {{"loss_sum", base->rows[i].sum}, {"tokens", base->rows[i].tokens}};
    if (tuned)
      line["tuned"] = {{"loss_sum", tuned->rows[i].sum}, {"tokens", tuned->rows[i].tokens}};
    add_line(append, line);
  }
}

void add_tasks(const Result& result, const Append& append) {
  const auto& base = result.base_judgement;
  const auto& tuned = result.tuned_judgement;
  for (size_t t = 0; t < result.tasks.size(); ++t) {
    const Task& task = result.tasks[t];
    for (size_t i = 0; i < task.rows.size(); ++i) {
      Json line = {{"task", task.name}, {"line", task.rows[i].line}};
      if (task.multiple_choice) line["right"] = task.rows[i].right;
      if (base) line["base"] = answer_of(task, base->tasks[t], i);
      if (tuned) line["tuned"] = answer_of(task, tuned->tasks[t], i);
      add_line(append, line);
    }
  }
}

}  // namespace

void write_details(const std::filesystem::path& path, const Result& result) {
  write_file_atomically(path, [&](const Append& append) {
    add_rows(result, append);
    add_tasks(result, append);
  });
}

}  // namespace toolkit::evaluate
