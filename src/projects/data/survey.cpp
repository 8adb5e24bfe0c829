#include "projects/data/survey.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/base/error.h"
#include "core/base/progress.h"
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

// Measures the rows and drops those that the template refuses.
void measure(std::vector<data::Row>& rows, int max_length, const Tokenize& tokenize, bool quiet,
             SplitSurvey& split) {
  Progress progress("reading " + split.name, static_cast<int64_t>(rows.size()), quiet || !tokenize);
  std::vector<data::Row> usable;
  int64_t done = 0;
  for (data::Row& row : rows) {
    try {
      if (tokenize) {
        measure_tokens(row, tokenize(row), max_length, split);
      } else {
        split.lengths.push_back(characters_of(row));
      }
      split.messages += static_cast<int>(row.messages.size());
      usable.push_back(std::move(row));
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kInternal) throw;
      split.bad.push_back({split.file, row.line, error.what()});
    }
    if (++done % 64 == 0) progress.update(done);
  }
  progress.finish();
  rows = std::move(usable);
  split.rows = static_cast<int>(rows.size());
  std::stable_sort(split.bad.begin(), split.bad.end(),
                   [](const data::BadRow& a, const data::BadRow& b) { return a.line < b.line; });
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
  std::vector<std::vector<data::Row>> rows;
  for (const auto& [name, file] :
       {std::pair{"train", files.train}, {"valid", files.valid}, {"test", files.test}}) {
    if (file.empty()) continue;
    data::ReadResult result = data::read_rows(file, columns);
    SplitSurvey split;
    split.name = files.train == path ? "rows" : name;
    split.file = file.string();
    split.format = result.format;
    split.bad = std::move(result.bad);
    measure(result.rows, max_length, tokenize, quiet, split);
    survey.splits.push_back(std::move(split));
    rows.push_back(std::move(result.rows));
  }
  survey.duplicates = data::find_duplicates(rows);
  survey.leaks = data::find_leaks(rows);
  if (survey.tokens) survey.packing = pack_at_common_lengths(survey.splits[0].lengths, max_length);
  return survey;
}

}  // namespace toolkit::data_check
