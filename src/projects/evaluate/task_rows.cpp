#include "projects/evaluate/task_rows.h"

#include <algorithm>
#include <map>
#include <optional>

#include "core/base/error.h"
#include "core/base/nearest.h"
#include "core/base/paths.h"
#include "core/data/row_format.h"
#include "core/data/row_source.h"

namespace toolkit::evaluate {

namespace {

using Columns = std::map<std::string, std::string>;

Columns columns_of(const std::vector<std::string>& assignments) {
  Columns columns = {
      {"question", "question"}, {"prompt", "prompt"}, {"choices", "choices"}, {"answer", "answer"}};
  for (const std::string& one : assignments) {
    const size_t equals = one.find('=');
    const std::string name = one.substr(0, equals);
    if (equals == std::string::npos || equals + 1 == one.size())
      fail(ErrorKind::kUserInput,
           "--task-columns: expected name=column such as question=ctx, found '{}'", one);
    if (!columns.contains(name))
      fail(ErrorKind::kUserInput,
           "--task-columns: unknown name '{}', expected question, prompt, choices or answer.{}",
           name, did_you_mean(name, {"question", "prompt", "choices", "answer"}));
    columns[name] = one.substr(equals + 1);
  }
  return columns;
}

/// The member at "a.b.c", null if it is not there.
const OrderedJson* member(const OrderedJson& row, const std::string& path) {
  const OrderedJson* at = &row;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    if (!at->is_object()) return nullptr;
    const auto found = at->find(path.substr(begin, end - begin));
    if (found == at->end() || found->is_null()) return nullptr;
    at = &*found;
    begin = end + 1;
  }
  return at;
}

std::string text_of(const OrderedJson& value, const std::string& name) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() || value.is_boolean()) return value.dump();
  fail(ErrorKind::kUserInput, "'{}': expected a text, found {}", name, value.type_name());
}

std::vector<std::string> texts_of(const OrderedJson& value, const std::string& name) {
  OrderedJson list = value;
  if (list.is_string()) list = OrderedJson::parse(list.get<std::string>(), nullptr, false);
  if (!list.is_array()) fail(ErrorKind::kUserInput, "'{}': expected a list of texts", name);
  std::vector<std::string> texts;
  for (const OrderedJson& one : list) texts.push_back(text_of(one, name));
  return texts;
}

int index_of(const OrderedJson& answer, const std::vector<std::string>& choices,
             const std::vector<std::string>& labels) {
  const auto place = [](const std::vector<std::string>& list, const std::string& text) {
    return static_cast<int>(std::find(list.begin(), list.end(), text) - list.begin());
  };
  const auto count = static_cast<int>(choices.size());
  const std::string text = text_of(answer, "answer");
  int index = count;
  if (answer.is_number_integer()) {
    index = answer.get<int64_t>() >= 0 && answer.get<int64_t>() < count ? answer.get<int>() : count;
  } else if (const int label = place(labels, text); label < std::min<int>(count, labels.size())) {
    index = label;
  } else if (const int choice = place(choices, text); choice < count) {
    index = choice;
  } else if (text.size() == 1 && text[0] >= 'A' && text[0] <= 'Z') {
    index = text[0] - 'A';
  } else if (!text.empty() && text.size() < 6 &&
             text.find_first_not_of("0123456789") == std::string::npos) {
    index = std::stoi(text);
  }
  if (index < 0 || index >= count)
    fail(ErrorKind::kUserInput,
         "'answer': expected an index from 0, a letter or one of the {} choices, found {}", count,
         answer.dump());
  return index;
}

bool is_preference(const OrderedJson& object) {
  return object.is_object() && object.contains("chosen") && object.contains("rejected");
}

std::string pair_member(const OrderedJson& object, const char* name) {
  const OrderedJson& value = object[name];
  if (!value.is_string() || data::is_blank(value.get<std::string>()))
    fail(ErrorKind::kUserInput, "'{}': expected a text, found {}", name,
         value.is_string() ? "an empty one" : value.type_name());
  return value.get<std::string>();
}

TaskRow read_row(const OrderedJson& object, const Columns& columns) {
  TaskRow row;
  const OrderedJson* question = member(object, columns.at("question"));
  if (!question) question = member(object, columns.at("prompt"));
  if (!question)
    fail(ErrorKind::kUserInput, "no 'question' and no 'prompt' (--task-columns names others)");
  row.question = text_of(*question, "question");
  if (data::is_blank(row.question)) fail(ErrorKind::kUserInput, "'question' is empty");
  if (is_preference(object)) {
    row.choices = {pair_member(object, "chosen"), pair_member(object, "rejected")};
    if (row.choices[0] == row.choices[1])
      fail(ErrorKind::kUserInput, "'chosen' and 'rejected' are the same");
    return row;
  }
  const OrderedJson* answer = member(object, columns.at("answer"));
  if (!answer) answer = member(object, "answerKey");
  if (!answer) fail(ErrorKind::kUserInput, "no 'answer' (--task-columns names another column)");
  const OrderedJson* choices = member(object, columns.at("choices"));
  if (!choices) {
    row.answers = answer->is_array() ? texts_of(*answer, "answer")
                                     : std::vector<std::string>{text_of(*answer, "answer")};
    if (row.answers.empty()) fail(ErrorKind::kUserInput, "'answer' is an empty list");
    return row;
  }
  std::vector<std::string> labels;
  if (const OrderedJson* label = member(*choices, "label")) labels = texts_of(*label, "label");
  const OrderedJson* texts = member(*choices, "text");
  row.choices = texts_of(texts ? *texts : *choices, "choices");
  if (row.choices.size() < 2)
    fail(ErrorKind::kUserInput, "'choices': expected two or more, found {}", row.choices.size());
  if (std::any_of(row.choices.begin(), row.choices.end(), data::is_blank))
    fail(ErrorKind::kUserInput, "'choices': one is empty");
  row.right = index_of(*answer, row.choices, labels);
  return row;
}

}  // namespace

Task read_task(const std::filesystem::path& file, const std::vector<std::string>& assignments,
               int limit) {
  const Columns columns = columns_of(assignments);
  const std::filesystem::path path = expanded_path(file.string());
  Task task{.name = path.stem().string(), .file = path};
  const auto source = data::open_row_source(path);
  data::SourceRow raw;
  while ((limit == 0 || static_cast<int>(task.rows.size()) < limit) && source->next(raw)) {
    try {
      if (!raw.problem.empty()) fail(ErrorKind::kUserInput, "{}", raw.problem);
      TaskRow row = read_row(raw.object, columns);
      row.line = raw.line;
      if (task.rows.empty()) {
        task.multiple_choice = !row.choices.empty();
        task.preference = is_preference(raw.object);
      }
      if (task.preference != is_preference(raw.object))
        fail(ErrorKind::kUserInput, "{} 'chosen' and 'rejected', unlike the first question",
             task.preference ? "no" : "has");
      if (task.multiple_choice == row.choices.empty())
        fail(ErrorKind::kUserInput, "{} 'choices', unlike the first question of the file",
             row.choices.empty() ? "no" : "has");
      task.rows.push_back(std::move(row));
    } catch (const Error& error) {
      fail(ErrorKind::kUserInput, "{}:{}: {}", path.string(), raw.line, error.what());
    }
  }
  if (task.rows.empty()) fail(ErrorKind::kUserInput, "{} has no questions", path.string());
  return task;
}

}  // namespace toolkit::evaluate
