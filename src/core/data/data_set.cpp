#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/data/chat_rows.h"

namespace toolkit::data {
namespace {

namespace fs = std::filesystem;

std::vector<Row> read_split(const fs::path& file, Splits& splits) {
  if (file.empty()) return {};
  ReadResult result = read_rows(file);
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

// Moves a share of the rows to `valid`, at least one row and never all; both keep the file's order.
void split_off_validation(Splits& splits, double share, uint64_t seed) {
  const size_t count = splits.train.size();
  if (share <= 0.0 || count < 2) return;
  const auto wanted = static_cast<size_t>(std::llround(share * static_cast<double>(count)));
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  Random(seed).shuffle(order);
  std::vector<bool> chosen(count, false);
  for (size_t i = 0; i < std::clamp<size_t>(wanted, 1, count - 1); ++i) chosen[order[i]] = true;
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
           "{}: no such file or folder; expected a JSONL file or a folder with train.jsonl",
           path.string());
    }
    return {.train = path, .valid = {}, .test = {}};
  }
  DataFiles files;
  for (auto [name, target] : {std::pair{"train.jsonl", &files.train},
                              {"valid.jsonl", &files.valid},
                              {"test.jsonl", &files.test}}) {
    if (fs::exists(path / name, code)) *target = path / name;
  }
  if (files.train.empty()) {
    fail(ErrorKind::kNotFound,
         "{}: expected train.jsonl in this folder (and maybe valid.jsonl, test.jsonl), found {}",
         path.string(),
         files.valid.empty() && files.test.empty() ? "none of them" : "only the others");
  }
  return files;
}

Splits read_data_set(const fs::path& path, double valid_share, uint64_t seed) {
  const DataFiles files = find_data_files(path);
  Splits splits;
  splits.train = read_split(files.train, splits);
  splits.valid = read_split(files.valid, splits);
  splits.test = read_split(files.test, splits);
  if (files.train == path) split_off_validation(splits, valid_share, seed);
  return splits;
}

}  // namespace toolkit::data
