#include "projects/finetune/data_sets.h"

#include <algorithm>
#include <filesystem>

#include "core/base/error.h"
#include "core/base/progress.h"
#include "core/data/duplicates.h"
#include "core/data/mixture.h"
#include "core/data/row_format.h"
#include "core/data/sample_store.h"
#include "projects/finetune/objective.h"

namespace toolkit::finetune {

namespace {

constexpr size_t kRowsWithProgress = 20000;  // fewer take a second or two

void check_form(const Config& config, const data::RowSet& rows) {
  size_t begin = 0;
  for (const data::RowSet::Source& source : rows.sources()) {
    const int line = rows.keys()[begin].line;
    begin += source.count;
    const bool pairs = source.format == data::kPreferenceFormat.name;
    if (pairs == learns_from_pairs(config)) continue;
    if (pairs)
      fail(ErrorKind::kUserInput,
           "{} holds preference rows (chosen/rejected): learn from them with --objective dpo or "
           "orpo; --objective sft needs one answer, messages or prompt/completion rows",
           config.data);
    fail(ErrorKind::kUserInput,
         "--objective {} learns from rows with 'prompt', 'chosen' and 'rejected', but {} has "
         "another form at line {}; use --objective sft for rows with one answer",
         config.objective, config.data, line);
  }
}

// What of the validation rows was seen in training: their loss says less than it seems to.
void note_leaks(const data::Splits& splits, std::vector<std::string>& notes) {
  const std::vector<std::span<const data::RowKey>> both = {splits.train.keys(),
                                                           splits.valid.keys()};
  const auto across = [](const data::Duplicate& pair) {
    return pair.first.split == 0 && pair.again.split == 1;
  };
  const auto note = [&](const std::vector<data::Duplicate>& pairs, const char* what) {
    const auto count = std::count_if(pairs.begin(), pairs.end(), across);
    if (count == 0) return;
    const data::Duplicate& first = *std::find_if(pairs.begin(), pairs.end(), across);
    notes.push_back(
        fmt::format("{} of {} validation rows {} (the first: line {}, in train line {}), so the "
                    "validation loss is better than that of new rows",
                    count, splits.valid.size(), what, first.again.line, first.first.line));
  };
  note(data::find_duplicates(both), "stand in the training rows too");
  note(data::find_leaks(both), "ask what a training row asks");
}

/// A split while it is tokenized.
struct Tokens {
  data::SampleStore store;
  int truncated = 0, unsupervised = 0;
};

void add(const data::Sample& sample, Tokens& tokens) {
  if (sample.truncated) ++tokens.truncated;
  if (sample.supervised_count() == 0)
    ++tokens.unsupervised;
  else
    tokens.store.add(sample);
}

void add_pair(const data::PreferenceSamples& pair, Tokens& tokens) {
  if (pair.chosen.truncated || pair.rejected.truncated) ++tokens.truncated;
  // Where both were cut before they differ, there is nothing to prefer.
  if (pair.chosen.supervised_count() == 0 || pair.rejected.supervised_count() == 0 ||
      pair.chosen.ids == pair.rejected.ids) {
    ++tokens.unsupervised;
    return;
  }
  tokens.store.add(pair.chosen);
  tokens.store.add(pair.rejected);
}

/// The first folder on the way up from the output folder, which is made later, that exists.
std::filesystem::path existing_folder(const std::string& output) {
  std::filesystem::path folder = std::filesystem::absolute(output);
  std::error_code code;
  while (!std::filesystem::is_directory(folder, code) && folder != folder.parent_path())
    folder = folder.parent_path();
  return folder;
}

}  // namespace

data::Splits read_rows(const Config& config, std::vector<std::string>& notes) {
  std::vector<data::MixedPart> mixed;
  data::Splits splits =
      data::read_mixture(data::parse_mixture(config.data), data::Columns(config.columns),
                         config.valid_share, static_cast<uint64_t>(config.seed), &mixed);
  if (!splits.bad.empty() && !config.skip_bad_rows) {
    std::string lines;
    for (size_t i = 0; i < std::min<size_t>(splits.bad.size(), 5); ++i)
      lines += fmt::format("\n  {}:{}: {}", splits.bad[i].file, splits.bad[i].line,
                           splits.bad[i].reason);
    if (splits.bad.size() > 5) lines += fmt::format("\n  and {} more", splits.bad.size() - 5);
    fail(ErrorKind::kUserInput,
         "{} rows cannot be used; mend them (`mlx-toolkit data check {}` lists all) or leave them "
         "out with "
         "--skip-bad-rows:{}",
         splits.bad.size(), config.data, lines);
  }
  check_form(config, splits.train);
  check_form(config, splits.valid);
  if (splits.train.empty())
    fail(
        ErrorKind::kUserInput,
        "{} has no usable training row; expected JSON lines such as "
        R"({{"messages": [{{"role": "user", "content": "..."}}, {{"role": "assistant", "content": "..."}}]}})",
        config.data);
  if (mixed.size() > 1)
    for (const data::MixedPart& part : mixed)
      notes.push_back(fmt::format("{}: {} of its {} training rows are in the mixture",
                                  part.part.path.string(), part.used, part.rows));
  note_leaks(splits, notes);
  return splits;
}

TokenizedSet tokenize(const data::RowSet& rows, const std::string& name,
                      const engine::LanguageModel& model, const Config& config, bool quiet) {
  const int max_length = config.max_length;
  Tokens tokens{.store = data::SampleStore(existing_folder(config.output))};
  Progress progress("reading " + name + " rows", static_cast<int64_t>(rows.size()),
                    quiet || rows.size() < kRowsWithProgress);
  int64_t done = 0;
  rows.for_each([&](const data::Row& row) {
    if (learns_from_pairs(config))
      add_pair(data::make_preference_samples(row, *model.tokenizer, model.chat, max_length),
               tokens);
    else
      add(data::make_sample(row, *model.tokenizer, model.chat, model.eos_id, max_length), tokens);
    if (++done % 256 == 0) progress.update(done);
    return true;
  });
  progress.finish();
  if (!rows.empty() && tokens.store.empty())
    fail(ErrorKind::kUserInput,
         "none of the {} {} rows has anything to learn: {} were cut to {} tokens before the first "
         "answer{}",
         rows.size(), name, tokens.truncated, max_length,
         tokens.truncated > 0 ? "; give a larger --max-length"
                              : " and the rest have no answer of the assistant");
  return {.samples = tokens.store.finish(),
          .truncated = tokens.truncated,
          .unsupervised = tokens.unsupervised};
}

}  // namespace toolkit::finetune
