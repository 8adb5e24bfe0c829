#include "projects/finetune/data_sets.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/data/duplicates.h"
#include "core/data/mixture.h"
#include "projects/finetune/objective.h"

namespace toolkit::finetune {

namespace {

void check_form(const Config& config, const data::Splits& splits) {
  for (const auto* rows : {&splits.train, &splits.valid}) {
    for (const data::Row& row : *rows) {
      if (row.is_preference() == learns_from_pairs(config)) continue;
      if (row.is_preference())
        fail(ErrorKind::kUserInput,
             "{} holds preference rows (chosen/rejected): learn from them with --objective dpo or "
             "orpo; --objective sft needs one answer, messages or prompt/completion rows",
             config.data);
      fail(ErrorKind::kUserInput,
           "--objective {} learns from rows with 'prompt', 'chosen' and 'rejected', but {} has "
           "another form at line {}; use --objective sft for rows with one answer",
           config.objective, config.data, row.line);
    }
  }
}

// What of the validation rows was seen in training: their loss says less than it seems to.
void note_leaks(data::Splits& splits, std::vector<std::string>& notes) {
  std::vector<std::vector<data::Row>> both;
  both.push_back(std::move(splits.train));
  both.push_back(std::move(splits.valid));
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
                    count, both[1].size(), what, first.again.line, first.first.line));
  };
  note(data::find_duplicates(both), "stand in the training rows too");
  note(data::find_leaks(both), "ask what a training row asks");
  splits.train = std::move(both[0]);
  splits.valid = std::move(both[1]);
}

void add(data::Sample sample, TokenizedSet& set) {
  if (sample.truncated) ++set.truncated;
  if (sample.supervised_count() == 0)
    ++set.unsupervised;
  else
    set.samples.push_back(std::move(sample));
}

void add_pair(data::PreferenceSamples pair, TokenizedSet& set) {
  if (pair.chosen.truncated || pair.rejected.truncated) ++set.truncated;
  // Where both were cut before they differ, there is nothing to prefer.
  if (pair.chosen.supervised_count() == 0 || pair.rejected.supervised_count() == 0 ||
      pair.chosen.ids == pair.rejected.ids) {
    ++set.unsupervised;
    return;
  }
  set.samples.push_back(std::move(pair.chosen));
  set.samples.push_back(std::move(pair.rejected));
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
  check_form(config, splits);
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

TokenizedSet tokenize(const std::vector<data::Row>& rows, const std::string& name,
                      const engine::LanguageModel& model, const Config& config) {
  const int max_length = config.max_length;
  TokenizedSet set;
  for (const data::Row& row : rows) {
    if (learns_from_pairs(config))
      add_pair(data::make_preference_samples(row, *model.tokenizer, model.chat, max_length), set);
    else
      add(data::make_sample(row, *model.tokenizer, model.chat, model.eos_id, max_length), set);
  }
  if (!rows.empty() && set.samples.empty())
    fail(ErrorKind::kUserInput,
         "none of the {} {} rows has anything to learn: {} were cut to {} tokens before the first "
         "answer{}",
         rows.size(), name, set.truncated, max_length,
         set.truncated > 0 ? "; give a larger --max-length"
                           : " and the rest have no answer of the assistant");
  return set;
}

}  // namespace toolkit::finetune
