#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/data/chat_rows.h"
#include "core/data/duplicates.h"
#include "core/data/samples.h"

namespace toolkit::data_check {

/// What stands in one file.
struct SplitSurvey {
  std::string name;  // "train", "valid", "test"
  std::string file;
  std::string format;
  int rows = 0;                   // usable ones
  int messages = 0;               // of all conversations
  std::vector<data::BadRow> bad;  // not readable, or refused by the chat template
  std::vector<int> lengths;       // of usable rows, uncut: tokens, or characters without a model
  int64_t supervised = 0;         // tokens that training predicts, after cutting
  std::vector<int> cut_lines;     // rows longer than max_length
  std::vector<int>
      unsupervised_lines;  // rows with nothing to learn in their first max_length tokens
  int one_token_rows = 0;  // rows that teach one token at most, the end mark aside
};

/// How full rows of one length would be after packing.
struct PackingSurvey {
  int row_length = 0, rows = 0;
  double filled = 0.0;  // share of the positions that hold a token
};

struct Survey {
  std::string path;
  bool tokens = false;  // lengths are tokens; false: characters
  int max_length = 0;
  std::vector<SplitSurvey> splits;
  std::vector<data::Duplicate> duplicates;  // data::Place::split counts in `splits`
  std::vector<data::Duplicate> leaks;       // questions of train asked again in another split
  std::vector<PackingSurvey> packing;       // of the training rows

  /// Rows that training could not use.
  int unusable() const;
};

/// Turns a row into tokens, uncut; throws Error when the chat template refuses it.
using Tokenize = std::function<data::Sample(const data::Row&)>;

/// Reads the data set and looks at every row. Without `tokenize`, characters are counted and
/// nothing is known of supervision. Throws Error only for a path that cannot be read.
Survey make_survey(const std::string& path, const data::Columns& columns, int max_length,
                   const Tokenize& tokenize, bool quiet);

nlohmann::json to_json(const Survey& survey);

}  // namespace toolkit::data_check
