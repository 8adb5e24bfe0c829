#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/data/chat_rows.h"
#include "core/data/columns.h"
#include "core/data/row_set.h"

namespace toolkit::data {

/// The files of a data set; empty where there is none.
struct DataFiles {
  std::filesystem::path train, valid, test;
};

/// What lies at `path`: a folder with train.jsonl and maybe valid.jsonl, test.jsonl, or one file
/// (train). Throws Error(kNotFound).
DataFiles find_data_files(const std::filesystem::path& path);

struct Splits {
  RowSet train, valid, test;
  std::vector<BadRow> bad;
  std::string format;
  std::vector<std::string> files;
};

/// A folder with train.jsonl and maybe valid.jsonl, test.jsonl, or one file (then `valid_share` of
/// its rows, picked by `seed`, becomes the validation set; rows that ask the same stay together).
/// Throws Error(kUserInput) when a file has no usable row.
Splits read_data_set(const std::filesystem::path& path, const Columns& columns = {},
                     double valid_share = 0.1, uint64_t seed = 0);

}  // namespace toolkit::data
