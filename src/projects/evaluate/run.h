#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/evaluate/evaluate.h"
#include "projects/evaluate/config.h"
#include "projects/evaluate/task_answers.h"

namespace toolkit::evaluate {

struct Quality {
  engine::Estimate loss;  // nats per supervised token, with its 95 % interval over rows
  engine::Estimate perplexity;
};

/// One row's question and what was said to it.
struct GenerationSample {
  std::string question, expected, base, tuned;
};

/// What one model gave, row by row.
struct Judgement {
  std::vector<engine::RowLoss> rows;
  double row_seconds = 0.0;  // that they took
  std::vector<TaskAnswers> tasks;
  std::vector<std::string> said;  // to the rows of --samples
};

struct Result {
  std::string split;  // "test", or the file's name; "" without --data
  int rows = 0, truncated_rows = 0, left_out_rows = 0;
  int64_t tokens = 0, supervised_tokens = 0;
  double seconds = 0.0;                       // of the passes over rows and questions
  double tokens_per_second = 0.0;             // of the rows
  std::vector<int> lines;                     // of the rows that were judged
  std::optional<Quality> base, tuned;         // of the rows; tuned: with the adapter
  std::optional<engine::Estimate> reduction;  // of the loss by the adapter, paired by row
  std::vector<Task> tasks;
  std::optional<Judgement> base_judgement, tuned_judgement;
  std::vector<GenerationSample> samples;
};

/// Loss, perplexity and tasks of the model, and of the model with the adapter where one is given.
/// Throws Error(kUserInput | kNotFound) naming a bad line or a missing split.
Result run(const Config& config, bool quiet);

}  // namespace toolkit::evaluate
