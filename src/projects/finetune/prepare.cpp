#include "projects/finetune/prepare.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/files/disk_space.h"
#include "engine/measure/choose_compute.h"
#include "engine/measure/device_memory.h"
#include "engine/train/default_learning_rate.h"
#include "projects/finetune/automatic.h"
#include "projects/finetune/data_sets.h"
#include "projects/finetune/objective.h"

namespace toolkit::finetune {

namespace {

// Weights that learn are not rounded to int8, so there is nothing to measure.
tensor::Compute choose_compute_for(const Config& config) {
  const bool fixed = config.method == "full" && config.compute == "auto";
  return engine::choose_compute(fixed ? "f32" : config.compute);
}

void check_length(const Config& config, const models::DecoderConfig& model) {
  if (model.max_positions > 0 && config.max_length > model.max_positions)
    fail(ErrorKind::kUserInput,
         "--max-length {} is more than the model's context of {} tokens; give at most {}",
         config.max_length, model.max_positions, model.max_positions);
}

void note_rows(const TokenizedSet& set, const std::string& name, size_t rows, Prepared& run) {
  run.truncated_rows += set.truncated;
  run.unsupervised_rows += set.unsupervised;
  if (set.truncated > 0)
    run.notes.push_back(
        fmt::format("{} of {} {} rows were longer than {} tokens and were cut (--max-length)",
                    set.truncated, rows, name, run.config.max_length));
  if (set.unsupervised > 0)
    run.notes.push_back(fmt::format("{} of {} {} rows have no answer to learn and were left out",
                                    set.unsupervised, rows, name));
}

void note_short_answers(const data::SampleSet& train, Prepared& run) {
  constexpr int kTokenAndEnd = 2;
  const bool all = std::all_of(train.begin(), train.end(), [](const data::SampleView& sample) {
    return sample.supervised_count() <= kTokenAndEnd;
  });
  if (all && !learns_from_pairs(run.config))
    run.notes.emplace_back(
        "every answer of the training rows is a single token: the model learns which one to "
        "choose, not how to write");
}

void make_tokens(Prepared& run, bool quiet) {
  const auto set_of = [&](const data::RowSet& rows, const std::string& name) {
    const TokenizedSet set = tokenize(rows, name, run.opened.model, run.config, quiet);
    note_rows(set, name, rows.size(), run);
    return set.samples;
  };
  run.notes = run.notes_of_rows;
  run.truncated_rows = run.unsupervised_rows = 0;
  if (!run.splits.bad.empty())
    run.notes.push_back(
        fmt::format("{} rows that cannot be used were left out", run.splits.bad.size()));
  run.train = set_of(run.splits.train, "training");
  note_short_answers(run.train, run);
  run.valid = set_of(run.splits.valid, "validation");
}

/// The highest of kMostRank, kMostRank / 2, ... that every matrix of the layers can have.
int widest_rank(const PlanInput& input) {
  int rank = kMostRank;
  for (const models::ModelParameter& parameter : input.blank.parameters())
    if (parameter.kind == models::ModelParameter::Kind::kMatrix && parameter.layer >= 0)
      while (rank > 1 && rank > std::min(parameter.shape.front(), parameter.shape.back()))
        rank /= 2;
  return rank;
}

/// The highest rank for which nothing else has to change; else the lowest.
MemoryChoice choose_with_rank(Config config, const PlanInput& input, int64_t limit) {
  for (config.rank = widest_rank(input); config.rank > kLeastRank; config.rank /= 2) {
    const int64_t planned =
        plan_memory(input.blank.config(), training_needs(config, input)).total();
    if (limit <= 0 || planned <= limit) break;
  }
  return choose_for_memory(config, input, limit);
}

}  // namespace

Prepared prepare(const Config& config, bool quiet) {
  check(config);
  std::vector<std::string> notes;
  data::Splits splits = read_rows(config, notes);
  Prepared run{.config = config,
               .splits = std::move(splits),
               .opened = engine::open_language_model(config.model),
               .train = {},
               .valid = {},
               .memory = {},
               .notes_of_rows = std::move(notes),
               .notes = {}};
  check_length(run.config, run.opened.config);
  const bool length_open = config.max_length == kAuto;
  if (length_open) run.config.max_length = longest_length(run.opened.config);
  make_tokens(run, quiet);
  if (length_open) {
    run.config.max_length = automatic_length(run.train, run.opened.config);
    make_tokens(run, quiet);
  }
  run.open_rank = config.rank == kAuto && config.method != "full";
  if (config.batch_tokens == kAuto) run.config.batch_tokens = automatic_batch(run.train);

  models::Decoder blank(run.opened.config);
  const auto stored = models::stored_forms(*run.opened.files, blank);
  const PlanInput input{blank, stored, run.train, choose_compute_for(run.config)};
  const int64_t limit =
      config.memory_limit.empty()
          ? 0
          : static_cast<int64_t>(files::bytes_from_text(config.memory_limit, "--memory-limit"));
  run.memory = run.open_rank ? choose_with_rank(run.config, input, limit)
                             : choose_for_memory(run.config, input, limit);
  const int length = run.config.max_length;
  run.config = run.memory.config;
  if (run.config.learning_rate == kAutoRate)
    run.config.learning_rate =
        engine::default_learning_rate(run.config.objective, run.config.method);
  if (run.config.max_length != length) make_tokens(run, quiet);
  for (const SettingChange& change : run.memory.changes)
    run.notes.push_back(fmt::format("--memory-limit {}: --{} {} instead of {}: {}",
                                    config.memory_limit, change.setting, change.to, change.from,
                                    change.why));
  if (!config.dry_run) check_memory(run.memory, input, engine::available_bytes());
  return run;
}

}  // namespace toolkit::finetune
