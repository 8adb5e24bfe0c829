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

std::vector<Row> read_split(const fs::path& file, const Columns& columns, Splits& splits) {
  if (file.empty()) return {};
  ReadResult result = read_rows(file, columns);
  if (result.rows.empty()) {
    const std::string why =
        result.bad.empty()
            ? "the file has no rows"
            : fmt::format("all {} rows are bad, the first in line {}: {}", result.bad.size(),
                          result.bad.front().line, result.bad.front().reason);
    fail(ErrorKind::kUserInput, "{}: no usable row: {}", file.string(), why);
  }
  splits.files.push_back(file.string());
  std::move(result.bad.begin(), result.bad.end(), std::back_inserter(splits.bad));
  if (splits.format.empty()) splits.format = result.format;
  return std::move(result.rows);
}

// What a row asks: two rows with the same question never fall on both sides of a split.
std::string question_of(const Row& row) {
  std::string key = row.text;
  for (const text::Message& message : row.messages) {
    if (message.role == "assistant") break;
    key += message.role + '\0' + message.content + '\0';
  }
  return key;
}

// Moves a share of the rows to `valid`, at least one row and never all; both keep the file's order.
// Rows that ask the same move together.
void split_off_validation(Splits& splits, double share, uint64_t seed) {
  const size_t count = splits.train.size();
  if (share <= 0.0 || count < 2) return;
  std::unordered_map<std::string, size_t> numbers;
  std::vector<std::vector<size_t>> groups;
  for (size_t i = 0; i < count; ++i) {
    const size_t group =
        numbers.try_emplace(question_of(splits.train[i]), groups.size()).first->second;
    if (group == groups.size()) groups.emplace_back();
    groups[group].push_back(i);
  }
  const auto wanted = std::clamp<size_t>(
      static_cast<size_t>(std::llround(share * static_cast<double>(count))), 1, count - 1);
  std::vector<size_t> order(groups.size());
  std::iota(order.begin(), order.end(), size_t{0});
  Random(seed).shuffle(order);
  std::vector<bool> chosen(count, false);
  size_t moved = 0;
  for (const size_t group : order) {
    const size_t size = groups[group].size();
    if (moved + size > wanted) continue;
    for (const size_t row : groups[group]) chosen[row] = true;
    moved += size;
  }
  std::vector<Row> train;
  for (size_t i = 0; i < count; ++i) {
    (chosen[i] ? splits.valid : train).push_back(std::move(splits.train[i]));
  }
  splits.train = std::move(train);
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

Splits read_data_set(const fs::path& path, double valid_share, uint64_t seed) {
  return read_data_set(path, Columns(), valid_share, seed);
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
