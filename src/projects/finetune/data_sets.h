#pragma once

#include <string>
#include <vector>

#include "core/data/chat_rows.h"
#include "core/data/samples.h"
#include "engine/language_model.h"
#include "projects/finetune/config.h"

namespace toolkit::finetune {

/// The rows of the data set, read and checked before the model loads. Throws Error(kUserInput)
/// naming bad lines, or an empty training set.
data::Splits read_rows(const Config& config);

struct TokenizedSet {
  std::vector<data::Sample> samples;  // each with at least one supervised token
  int truncated = 0;                  // rows cut to --max-length
  int unsupervised = 0;               // rows left out: nothing to learn in what is left of them
};

/// Tokenizes one split. `name` ("train") is for messages. Throws Error(kUserInput) if nothing is
/// left.
TokenizedSet tokenize(const std::vector<data::Row>& rows, const std::string& name,
                      const engine::LanguageModel& model, int max_length);

}  // namespace toolkit::finetune
