#pragma once

#include <filesystem>
#include <functional>

#include "core/data/chat_rows.h"
#include "core/data/sample_set.h"
#include "engine/language_model.h"

namespace toolkit::engine {

/// The rows of a file as row_losses takes them; those without an answer are left out.
struct JudgedRows {
  data::SampleSet samples;
  int truncated = 0, left_out = 0;
};

struct JudgeOptions {
  data::Columns columns = {};
  int max_length = 2048;                        // tokens; longer rows are cut at the end
  int limit = 0;                                // read only the first N rows; 0: all
  std::function<void(const data::Row&)> visit;  // gets every row that is read
};

/// Reads a data file row by row, so that it may be larger than memory: tokens beyond 64 MiB go to a
/// file without a name in the folder for temporary files. `model` needs no decoder. Throws
/// Error(kUserInput) naming the first bad line, or when no row has an answer.
JudgedRows read_judged_rows(const std::filesystem::path& file, const LanguageModel& model,
                            const JudgeOptions& options);

}  // namespace toolkit::engine
