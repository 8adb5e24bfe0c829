#include "core/data/data_set.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <unordered_map>
#include <utility>

#include "core/base/error.h"
#include "core/base/random.h"

namespace toolkit::data {
namespace {

namespace fs = std::filesystem;

RowSet read_split(const fs::path& file, const Columns& columns, Splits& splits) {
  if (file.empty()) return {};
  std::vector<BadRow> bad;
  RowSet rows = RowSet::scan(file, columns, bad);
  if (rows.empty()) {
    const std::string why = bad.empty()
                                ? "the file has no rows"
                                : fmt::format("all {} rows are bad, the first in line {}: {}",
                                              bad.size(), bad.front().line, bad.front().reason);
    fail(ErrorKind::kUserInput, "{}: no usable row: {}", file.string(), why);
  }
  splits.files.push_back(file.string());
  std::move(bad.begin(), bad.end(), std::back_inserter(splits.bad));
  if (splits.format.empty()) splits.format = rows.sources().front().format;
  return rows;
}

// Moves a share of the rows to `valid`, at least one row and never all; both keep the file's order.
// Rows that ask the same move together.
void split_off_validation(Splits& splits, double share, uint64_t seed) {
  const std::vector<RowKey>& keys = splits.train.keys();
  const size_t count = keys.size();
  if (share <= 0.0 || count < 2) return;
  std::unordered_map<uint64_t, uint32_t> numbers;
  std::vector<uint32_t> group_of, sizes;
  group_of.reserve(count);
  for (const RowKey& key : keys) {
    const uint64_t question = key.asked != 0 ? key.asked : key.said;
    const uint32_t group =
        numbers.try_emplace(question, static_cast<uint32_t>(sizes.size())).first->second;
    if (group == sizes.size()) sizes.push_back(0);
    ++sizes[group];
    group_of.push_back(group);
  }
  const auto wanted = std::clamp<size_t>(
      static_cast<size_t>(std::llround(share * static_cast<double>(count))), 1, count - 1);
  std::vector<size_t> order(sizes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  Random(seed).shuffle(order);
  std::vector<bool> moves(sizes.size(), false);
  size_t moved = 0;
  for (const size_t group : order) {
    if (moved + sizes[group] > wanted) continue;
    moves[group] = true;
    moved += sizes[group];
  }
  std::vector<bool> marks(count);
  for (size_t i = 0; i < count; ++i) marks[i] = moves[group_of[i]];
  splits.valid = splits.train.chosen(marks);
  marks.flip();
  splits.train = splits.train.chosen(marks);
}

}  // namespace

DataFiles find_data_files(const fs::path& path) {
  std::error_code code;
  if (!fs::is_directory(path, code)) {
    if (!fs::exists(path, code)) {
      fail(ErrorKind::kNotFound,
           "{}: no such file or folder; expected a file (.jsonl, .json, .csv, .tsv, .parquet) or a "
           "folder with train.jsonl",
           path.string());
    }
    return {.train = path, .valid = {}, .test = {}};
  }
  DataFiles files;
  files.train = find_data_file(path, "train");
  files.valid = find_data_file(path, "valid");
  files.test = find_data_file(path, "test");
  if (files.train.empty()) {
    fail(ErrorKind::kNotFound,
         "{}: expected train.jsonl in this folder (and maybe valid.jsonl, test.jsonl; .json, .csv, "
         ".tsv and .parquet will do too), found {}",
         path.string(),
         files.valid.empty() && files.test.empty() ? "none of them" : "only the others");
  }
  return files;
}

Splits read_data_set(const fs::path& path, const Columns& columns, double valid_share,
                     uint64_t seed) {
  const DataFiles files = find_data_files(path);
  Splits splits;
  splits.train = read_split(files.train, columns, splits);
  splits.valid = read_split(files.valid, columns, splits);
  splits.test = read_split(files.test, columns, splits);
  if (files.train == path) split_off_validation(splits, valid_share, seed);
  return splits;
}

}  // namespace toolkit::data
