#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/data/chat_rows.h"
#include "engine/evaluate/evaluate.h"
#include "projects/evaluate/config.h"

namespace toolkit::evaluate {

struct Quality {
  engine::Estimate loss;  // nats per supervised token, with its 95 % interval over rows
  engine::Estimate perplexity;
};

struct Result {
  std::string split;  // "test", or the file's name
  int rows = 0, truncated_rows = 0, left_out_rows = 0;
  int64_t tokens = 0, supervised_tokens = 0;
  double seconds = 0.0;  // of the passes over the rows
  double tokens_per_second = 0.0;
  Quality model;                              // the base model
  std::optional<Quality> tuned;               // with the adapter
  std::optional<engine::Estimate> reduction;  // of the loss by the adapter, paired by row
};

/// The rows to judge by: one file, or the wanted file of a folder. Throws Error(kUserInput |
/// kNotFound) naming bad lines or a missing split.
std::vector<data::Row> read_split(const Config& config, std::string& split);

/// Loss and perplexity of the model, and of the model with the adapter where one is given.
Result run(const Config& config, bool quiet);

}  // namespace toolkit::evaluate
