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
/// Tells in `notes` how several files were mixed, and validation rows that training has seen.
data::Splits read_rows(const Config& config, std::vector<std::string>& notes);

struct TokenizedSet {
  /// Each with at least one supervised token; of pairs the chosen and the rejected answer in turn.
  std::vector<data::Sample> samples;
  int truncated = 0;     // rows cut to --max-length
  int unsupervised = 0;  // rows left out: nothing to learn in what is left of them
};

/// Tokenizes one split. `name` ("train") is for messages. Throws Error(kUserInput) if nothing is
/// left.
TokenizedSet tokenize(const std::vector<data::Row>& rows, const std::string& name,
                      const engine::LanguageModel& model, const Config& config);

}  // namespace toolkit::finetune
