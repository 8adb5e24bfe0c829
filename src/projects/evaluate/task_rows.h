#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace toolkit::evaluate {

/// One question. Multiple choice has `choices` and `right`, the other kind `answers`.
struct TaskRow {
  std::string question;
  std::vector<std::string> choices;
  int right = 0;                     // index into choices
  std::vector<std::string> answers;  // any of them is right
  int line = 0;
};

struct Task {
  std::string name;  // the file's, without its ending
  std::filesystem::path file;
  bool multiple_choice = false;
  bool preference = false;  // of {prompt, chosen, rejected}: two choices, the first is right
  std::vector<TaskRow> rows;
};

/// Reads a file of questions (JSONL, JSON, CSV, TSV or Parquet). `columns` are "name=column" with
/// the names question (or prompt), choices, answer and dots into nested objects. Without them also
/// ARC's form is known, choices {text, label} and answerKey, and that of preference
/// tuning, prompt, chosen and rejected (texts): the chosen one is the right of two choices. The
/// answer of a multiple-choice question is an index from 0, a label, a letter or the choice itself.
/// `limit` 0: all rows. Throws Error(kUserInput) with file, line and what was expected.
Task read_task(const std::filesystem::path& file, const std::vector<std::string>& columns,
               int limit);

}  // namespace toolkit::evaluate
