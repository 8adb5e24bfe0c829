#include "projects/evaluate/run.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/base/paths.h"
#include "core/base/progress.h"
#include "core/checkpoint/adapter.h"
#include "core/data/row_source.h"
#include "engine/adapt.h"
#include "engine/evaluate/answer_match.h"
#include "engine/evaluate/judged_rows.h"
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

std::vector<engine::RowLoss> pass(const engine::LanguageModel& model,
                                  const data::SampleSet& samples, const Config& config,
                                  const std::string& label, bool quiet) {
  Progress progress(label, static_cast<int64_t>(samples.size()), quiet);
  engine::EvaluateOptions options{.batch_tokens = config.batch_tokens,
                                  .compute = model.decoder->linears().front().second->compute,
                                  .progress = [&](int64_t done, int64_t) {
                                    progress.update(done);
                                    return !InterruptGuard::requested();
                                  }};
  std::vector<engine::RowLoss> rows = engine::row_losses(*model.decoder, samples, options);
  if (InterruptGuard::requested()) fail(ErrorKind::kUserInput, "interrupted");
  progress.finish();
  return rows;
}

Quality quality_of(const std::vector<engine::RowLoss>& rows) {
  const engine::Estimate loss = engine::mean_loss(rows);
  return {.loss = loss, .perplexity = engine::perplexity(loss)};
}

/// What both models are judged by.
struct Exam {
  engine::JudgedRows rows;
  std::vector<data::Row> asked;  // at most --samples
};

Exam read_exam(const std::filesystem::path& file, const engine::OpenedModel& opened,
               const Config& config) {
  Exam exam;
  const int context = opened.config.max_positions;
  const auto keep_questions = [&](const data::Row& row) {
    if (static_cast<int>(exam.asked.size()) < config.samples && !engine::question_of(row).empty())
      exam.asked.push_back(row);
  };
  exam.rows = engine::read_judged_rows(
      file, opened.model,
      {.columns = data::Columns(config.columns),
       .max_length = context > 0 ? std::min(config.max_length, context) : config.max_length,
       .limit = config.limit,
       .visit = keep_questions});
  return exam;
}

Judgement judge(const engine::LanguageModel& model, const Exam& exam, const Result& result,
                const Config& config, const std::string& label, bool quiet) {
  using Clock = std::chrono::steady_clock;
  Judgement judgement;
  const auto begin = Clock::now();
  if (!exam.rows.samples.empty())
    judgement.rows = pass(model, exam.rows.samples, config, label, quiet);
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

void count_rows(const engine::JudgedRows& rows, Result& result) {
  result.rows = static_cast<int>(rows.samples.size());
  result.truncated_rows = rows.truncated;
  result.left_out_rows = rows.left_out;
  result.tokens = rows.samples.tokens();
  result.supervised_tokens = rows.samples.supervised_tokens();
  for (const data::SampleView& sample : rows.samples) result.lines.push_back(sample.line());
}

}  // namespace

Result run(const Config& config, bool quiet) {
  check(config);
  Result result;
  std::filesystem::path file;
  if (!config.data.empty()) file = split_file(config, result.split);
  for (const std::string& task : config.task)
    result.tasks.push_back(read_task(task, config.task_columns, config.limit));
  // A pattern that cannot be used is refused before the model is read.
  engine::AnswerMatcher({.pattern = config.answer_pattern});
  std::optional<checkpoint::Adapter> adapter;
  if (!config.adapter.empty()) adapter = checkpoint::load_adapter(expanded_path(config.adapter));
  engine::OpenedModel opened = engine::open_language_model(config.model);
  Exam exam;
  if (!file.empty()) exam = read_exam(file, opened, config);
  count_rows(exam.rows, result);
  engine::LanguageModel model =
      engine::load_weights(std::move(opened), engine::choose_compute(config.compute),
                           {.bits = config.base_bits, .group_size = config.quantize_group});

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
  if (!file.empty()) {
    if (result.base_judgement) result.base = quality_of(result.base_judgement->rows);
    if (result.tuned_judgement) result.tuned = quality_of(result.tuned_judgement->rows);
    if (result.base && result.tuned)
      result.reduction =
          engine::loss_reduction(result.base_judgement->rows, result.tuned_judgement->rows);
  }
  result.samples = samples_of(exam, result);
  if (!config.details.empty()) write_details(expanded_path(config.details), result);
  return result;
}

}  // namespace toolkit::evaluate
