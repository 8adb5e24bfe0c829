#include "projects/evaluate/run.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/base/paths.h"
#include "core/base/progress.h"
#include "core/checkpoint/adapter.h"
#include "core/data/samples.h"
#include "engine/adapt.h"
#include "engine/language_model.h"
#include "engine/measure/choose_compute.h"

namespace toolkit::evaluate {

namespace {

std::filesystem::path split_file(const Config& config, std::string& split) {
  const std::filesystem::path path = expanded_path(config.data);
  if (!std::filesystem::exists(path))
    fail(ErrorKind::kNotFound, "{} does not exist; give a .jsonl file or a folder with test.jsonl",
         path.string());
  if (!std::filesystem::is_directory(path)) {
    split = path.filename().string();
    return path;
  }
  const std::vector<std::string> wanted = config.split == "auto"
                                              ? std::vector<std::string>{"test", "valid", "train"}
                                              : std::vector<std::string>{config.split};
  for (const std::string& name : wanted) {
    const std::filesystem::path file = path / (name + ".jsonl");
    if (!std::filesystem::exists(file)) continue;
    split = name;
    return file;
  }
  fail(ErrorKind::kNotFound, "{} has no {}.jsonl", path.string(),
       config.split == "auto" ? "test.jsonl, valid.jsonl or train" : config.split);
}

struct Samples {
  std::vector<data::Sample> list;
  int truncated = 0, left_out = 0;
};

Samples tokenize(const std::vector<data::Row>& rows, const engine::LanguageModel& model,
                 const Config& config) {
  const int max_length = std::min(config.max_length, model.decoder->config().max_positions);
  Samples samples;
  for (const data::Row& row : rows) {
    data::Sample sample =
        data::make_sample(row, *model.tokenizer, model.chat, model.eos_id, max_length);
    samples.truncated += sample.truncated;
    if (sample.supervised_count() == 0) {
      ++samples.left_out;  // nothing to be judged by
    } else {
      samples.list.push_back(std::move(sample));
    }
  }
  if (samples.list.empty())
    fail(ErrorKind::kUserInput, "{}: no row has an answer within {} tokens to judge by",
         config.data, max_length);
  return samples;
}

std::vector<engine::RowLoss> pass(const engine::LanguageModel& model, const Samples& samples,
                                  const Config& config, const std::string& label, bool quiet) {
  Progress progress(label, static_cast<int64_t>(samples.list.size()), quiet);
  engine::EvaluateOptions options{.batch_tokens = config.batch_tokens,
                                  .compute = model.decoder->linears().front().second->compute,
                                  .progress = [&](int64_t done, int64_t) {
                                    progress.update(done);
                                    return !InterruptGuard::requested();
                                  }};
  std::vector<engine::RowLoss> rows = engine::row_losses(*model.decoder, samples.list, options);
  if (InterruptGuard::requested()) fail(ErrorKind::kUserInput, "interrupted");
  progress.finish();
  return rows;
}

Quality quality_of(const std::vector<engine::RowLoss>& rows) {
  const engine::Estimate loss = engine::mean_loss(rows);
  return {.loss = loss, .perplexity = engine::perplexity(loss)};
}

}  // namespace

std::vector<data::Row> read_split(const Config& config, std::string& split) {
  const std::filesystem::path file = split_file(config, split);
  data::ReadResult read = data::read_rows(file);
  if (!read.bad.empty())
    fail(ErrorKind::kUserInput, "{}:{}: {}{}", read.bad[0].file, read.bad[0].line,
         read.bad[0].reason,
         read.bad.size() > 1
             ? fmt::format(" (and {} more bad rows; `mlx-toolkit data check` lists all)",
                           read.bad.size() - 1)
             : "");
  if (config.limit > 0 && read.rows.size() > static_cast<size_t>(config.limit))
    read.rows.resize(static_cast<size_t>(config.limit));
  if (read.rows.empty()) fail(ErrorKind::kUserInput, "{} has no rows", file.string());
  return std::move(read.rows);
}

Result run(const Config& config, bool quiet) {
  Result result;
  const std::vector<data::Row> rows = read_split(config, result.split);
  std::optional<checkpoint::Adapter> adapter;
  if (!config.adapter.empty()) adapter = checkpoint::load_adapter(expanded_path(config.adapter));
  engine::LanguageModel model =
      engine::load_language_model(config.model, engine::choose_compute(config.compute));
  const Samples samples = tokenize(rows, model, config);
  result.rows = static_cast<int>(samples.list.size());
  result.truncated_rows = samples.truncated;
  result.left_out_rows = samples.left_out;
  for (const data::Sample& sample : samples.list) {
    result.tokens += static_cast<int64_t>(sample.ids.size());
    result.supervised_tokens += sample.supervised_count();
  }

  const InterruptGuard guard;
  const auto begin = std::chrono::steady_clock::now();
  const std::vector<engine::RowLoss> base = pass(model, samples, config, "base", quiet);
  result.model = quality_of(base);
  if (adapter) {
    engine::apply_adapter(*model.decoder, *adapter);
    const std::vector<engine::RowLoss> tuned = pass(model, samples, config, "tuned", quiet);
    result.tuned = quality_of(tuned);
    result.reduction = engine::loss_reduction(base, tuned);
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  result.tokens_per_second =
      static_cast<double>(result.tokens) * (adapter ? 2.0 : 1.0) / std::max(result.seconds, 1e-9);
  return result;
}

}  // namespace toolkit::evaluate
