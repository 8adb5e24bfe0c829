#include "projects/evaluate/run.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/base/paths.h"
#include "core/base/progress.h"
#include "core/checkpoint/adapter.h"
#include "core/data/row_source.h"
#include "core/data/samples.h"
#include "engine/adapt.h"
#include "engine/evaluate/answer_match.h"
#include "engine/generate/row_answer.h"
#include "engine/language_model.h"
#include "engine/measure/choose_compute.h"
#include "projects/evaluate/details.h"

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
    const std::filesystem::path file = data::find_data_file(path, name);
    if (file.empty()) continue;
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

/// Rows of --data that can be asked, at most as many as --samples.
std::vector<data::Row> asked_rows(const std::vector<data::Row>& rows, int count) {
  std::vector<data::Row> asked;
  for (const data::Row& row : rows) {
    if (static_cast<int>(asked.size()) == count) break;
    if (!engine::question_of(row).empty()) asked.push_back(row);
  }
  return asked;
}

/// What both models are judged by.
struct Exam {
  Samples samples;
  std::vector<data::Row> asked;
};

Judgement judge(const engine::LanguageModel& model, const Exam& exam, const Result& result,
                const Config& config, const std::string& label, bool quiet) {
  using Clock = std::chrono::steady_clock;
  Judgement judgement;
  const auto begin = Clock::now();
  if (!exam.samples.list.empty()) judgement.rows = pass(model, exam.samples, config, label, quiet);
  judgement.row_seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  for (const Task& task : result.tasks)
    judgement.tasks.push_back(answer_task(model, task, config, label, quiet));
  engine::Generator generator(model);
  for (const data::Row& row : exam.asked) {
    judgement.said.push_back(engine::answer_row(generator, model, row, config.answer_tokens));
    if (InterruptGuard::requested()) fail(ErrorKind::kUserInput, "interrupted");
  }
  return judgement;
}

std::vector<GenerationSample> samples_of(const Exam& exam, const Result& result) {
  std::vector<GenerationSample> samples;
  for (size_t i = 0; i < exam.asked.size(); ++i) {
    const data::Row& row = exam.asked[i];
    samples.push_back({.question = engine::question_of(row).back().content,
                       .expected = engine::expected_answer(row)});
    if (result.base_judgement) samples.back().base = result.base_judgement->said[i];
    if (result.tuned_judgement) samples.back().tuned = result.tuned_judgement->said[i];
  }
  return samples;
}

void count_rows(const Samples& samples, Result& result) {
  result.rows = static_cast<int>(samples.list.size());
  result.truncated_rows = samples.truncated;
  result.left_out_rows = samples.left_out;
  for (const data::Sample& sample : samples.list) {
    result.tokens += static_cast<int64_t>(sample.ids.size());
    result.supervised_tokens += sample.supervised_count();
    result.lines.push_back(sample.line);
  }
}

}  // namespace

std::vector<data::Row> read_split(const Config& config, std::string& split) {
  const std::filesystem::path file = split_file(config, split);
  data::ReadResult read = data::read_rows(file, data::Columns(config.columns));
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
  check(config);
  Result result;
  std::vector<data::Row> rows;
  if (!config.data.empty()) rows = read_split(config, result.split);
  for (const std::string& file : config.task)
    result.tasks.push_back(read_task(file, config.task_columns, config.limit));
  // A pattern that cannot be used is refused before the model is read.
  engine::AnswerMatcher({.pattern = config.answer_pattern});
  std::optional<checkpoint::Adapter> adapter;
  if (!config.adapter.empty()) adapter = checkpoint::load_adapter(expanded_path(config.adapter));
  engine::LanguageModel model =
      engine::load_language_model(config.model, engine::choose_compute(config.compute), {},
                                  {.bits = config.base_bits, .group_size = config.quantize_group});
  Exam exam{.asked = asked_rows(rows, config.samples)};
  if (!rows.empty()) exam.samples = tokenize(rows, model, config);
  count_rows(exam.samples, result);

  const InterruptGuard guard;
  const auto begin = std::chrono::steady_clock::now();
  if (!config.without_base)
    result.base_judgement = judge(model, exam, result, config, adapter ? "base" : "model", quiet);
  if (adapter) {
    engine::apply_adapter(*model.decoder, *adapter);
    result.tuned_judgement = judge(model, exam, result, config, "tuned", quiet);
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  double passes = 0, row_seconds = 0;
  for (const auto* one : {&result.base_judgement, &result.tuned_judgement}) {
    if (!*one) continue;
    ++passes;
    row_seconds += (*one)->row_seconds;
  }
  result.tokens_per_second =
      static_cast<double>(result.tokens) * passes / std::max(row_seconds, 1e-9);
  if (!rows.empty()) {
    if (result.base_judgement) result.base = quality_of(result.base_judgement->rows);
    if (result.tuned_judgement) result.tuned = quality_of(result.tuned_judgement->rows);
    if (result.base && result.tuned)
      result.reduction =
          engine::loss_reduction(result.base_judgement->rows, result.tuned_judgement->rows);
  }
  result.samples = samples_of(exam, result);
  if (!config.details.empty())
    write_file_atomically(expanded_path(config.details), details_text(result));
  return result;
}

}  // namespace toolkit::evaluate
