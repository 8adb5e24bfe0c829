#pragma once

#include <string>
#include <vector>

#include "core/data/data_set.h"
#include "core/data/sample_set.h"
#include "engine/language_model.h"
#include "projects/finetune/config.h"

namespace toolkit::finetune {

/// The rows of the data set, read once and checked before the model loads; they stay in their
/// files. Throws Error(kUserInput) naming bad lines, or an empty training set. Tells in `notes` how
/// several files were mixed, and validation rows that training has seen.
data::Splits read_rows(const Config& config, std::vector<std::string>& notes);

struct TokenizedSet {
  /// Each with at least one supervised token; of pairs the chosen and the rejected answer in turn.
  data::SampleSet samples;
  int truncated = 0;     // rows cut to --max-length
  int unsupervised = 0;  // rows left out: nothing to learn in what is left of them
};

/// Reads a split again and tokenizes it. More tokens than are held in memory go to a file without a
/// name beside the output folder. `name` ("training") is for messages. Throws Error(kUserInput) if
/// nothing is left.
TokenizedSet tokenize(const data::RowSet& rows, const std::string& name,
                      const engine::LanguageModel& model, const Config& config, bool quiet);

}  // namespace toolkit::finetune
