#include "projects/data/survey.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/base/error.h"
#include "core/base/progress.h"
#include "core/data/data_set.h"
#include "core/data/packing.h"

namespace toolkit::data_check {
namespace {

constexpr int kOneTokenAnswer = 2;  // the token and the mark that ends the turn

int count_characters(const std::string& text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

int characters_of(const data::Row& row) {
  int count = count_characters(row.text);
  for (const text::Message& message : row.messages) count += count_characters(message.content);
  return count;
}

void measure_tokens(const data::Row& row, const data::Sample& sample, int max_length,
                    SplitSurvey& split) {
  const int length = static_cast<int>(sample.ids.size());
  const auto kept_end = sample.supervised.begin() + std::min(length, max_length);
  const auto learned = std::count(sample.supervised.begin(), kept_end, true);
  split.lengths.push_back(length);
  split.supervised += learned;
  if (length > max_length) split.cut_lines.push_back(row.line);
  if (learned == 0) split.unsupervised_lines.push_back(row.line);
  if (learned > 0 && learned <= kOneTokenAnswer) ++split.one_token_rows;
}

// Measures the rows; those that the template refuses are not in what it returns.
data::RowSet measure(const data::RowSet& rows, int max_length, const Tokenize& tokenize, bool quiet,
                     SplitSurvey& split) {
  Progress progress("reading " + split.name, static_cast<int64_t>(rows.size()), quiet || !tokenize);
  std::vector<bool> usable;
  rows.for_each([&](const data::Row& row) {
    usable.push_back(false);
    try {
      if (tokenize) {
        measure_tokens(row, tokenize(row), max_length, split);
      } else {
        split.lengths.push_back(characters_of(row));
      }
      split.messages += static_cast<int>(row.messages.size());
      usable.back() = true;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kInternal) throw;
      split.bad.push_back({split.file, row.line, error.what()});
    }
    if (usable.size() % 64 == 0) progress.update(static_cast<int64_t>(usable.size()));
    return true;
  });
  progress.finish();
  std::stable_sort(split.bad.begin(), split.bad.end(),
                   [](const data::BadRow& a, const data::BadRow& b) { return a.line < b.line; });
  return rows.chosen(usable);
}

std::vector<PackingSurvey> pack_at_common_lengths(const std::vector<int>& lengths, int max_length) {
  std::vector<PackingSurvey> result;
  for (int row_length : {256, 512, 1024, 2048, 4096}) {
    if (row_length > std::max(max_length, 512)) break;
    std::vector<int> kept;
    kept.reserve(lengths.size());
    for (int length : lengths)
      kept.push_back(std::clamp(length, 1, std::min(row_length, max_length)));
    const auto rows = data::pack_best_fit(kept, row_length);
    if (rows.empty()) break;
    const double tokens = std::accumulate(kept.begin(), kept.end(), 0.0);
    result.push_back({.row_length = row_length,
                      .rows = static_cast<int>(rows.size()),
                      .filled = tokens / (static_cast<double>(rows.size()) * row_length)});
  }
  return result;
}

}  // namespace

int Survey::unusable() const {
  int count = 0;
  for (const SplitSurvey& split : splits) {
    count += static_cast<int>(split.bad.size() + split.unsupervised_lines.size());
  }
  return count;
}

Survey make_survey(const std::string& path, const data::Columns& columns, int max_length,
                   const Tokenize& tokenize, bool quiet) {
  const data::DataFiles files = data::find_data_files(path);
  Survey survey;
  survey.path = path;
  survey.tokens = static_cast<bool>(tokenize);
  survey.max_length = max_length;
  std::vector<data::RowSet> usable;
  for (const auto& [name, file] :
       {std::pair{"train", files.train}, {"valid", files.valid}, {"test", files.test}}) {
    if (file.empty()) continue;
    SplitSurvey split;
    split.name = files.train == path ? "rows" : name;
    split.file = file.string();
    const data::RowSet rows = data::RowSet::scan(file, columns, split.bad);
    if (!rows.empty()) split.format = rows.sources().front().format;
    usable.push_back(measure(rows, max_length, tokenize, quiet, split));
    split.rows = static_cast<int>(usable.back().size());
    survey.splits.push_back(std::move(split));
  }
  std::vector<std::span<const data::RowKey>> keys;
  for (const data::RowSet& rows : usable) keys.emplace_back(rows.keys());
  survey.duplicates = data::find_duplicates(keys);
  survey.leaks = data::find_leaks(keys);
  if (survey.tokens) survey.packing = pack_at_common_lengths(survey.splits[0].lengths, max_length);
  return survey;
}

}  // namespace toolkit::data_check
