#include "projects/export/loss_check.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/paths.h"
#include "core/base/progress.h"
#include "core/data/data_set.h"
#include "core/data/samples.h"
#include "engine/language_model.h"
#include "engine/measure/choose_compute.h"

namespace toolkit::export_model {

namespace {

namespace fs = std::filesystem;

fs::path rows_file(const fs::path& path) {
  const data::DataFiles files = data::find_data_files(path);
  return !files.valid.empty() ? files.valid : !files.test.empty() ? files.test : files.train;
}

std::vector<data::Row> read(const FuseConfig& config) {
  const fs::path file = rows_file(expanded_path(config.data));
  data::ReadResult read = data::read_rows(file);
  if (!read.bad.empty())
    fail(ErrorKind::kUserInput, "{}:{}: {}", read.bad[0].file, read.bad[0].line,
         read.bad[0].reason);
  if (config.limit > 0 && read.rows.size() > static_cast<size_t>(config.limit))
    read.rows.resize(static_cast<size_t>(config.limit));
  return std::move(read.rows);
}

std::vector<engine::RowLoss> losses(const engine::LanguageModel& model,
                                    const std::vector<data::Row>& rows, const std::string& label,
                                    bool quiet) {
  const int longest = std::min(2048, model.decoder->config().max_positions);
  std::vector<data::Sample> samples;
  for (const data::Row& row : rows) {
    data::Sample sample =
        data::make_sample(row, *model.tokenizer, model.chat, model.eos_id, longest);
    if (sample.supervised_count() > 0) samples.push_back(std::move(sample));
  }
  if (samples.empty())
    fail(ErrorKind::kUserInput, "no row has an answer within {} tokens to compare on", longest);
  Progress progress(label, static_cast<int64_t>(samples.size()), quiet);
  auto result = engine::row_losses(*model.decoder, samples,
                                   {.compute = model.decoder->linears().front().second->compute,
                                    .progress = [&](int64_t done, int64_t) {
                                      progress.update(done);
                                      return true;
                                    }});
  progress.finish();
  return result;
}

}  // namespace

LossCheck check_losses(const FuseConfig& config, const fs::path& fused, bool quiet) {
  const std::vector<data::Row> rows = read(config);
  const tensor::Compute compute = engine::choose_compute(config.compute);
  const auto before =
      losses(engine::load_language_model(config.model, compute, expanded_path(config.adapter)),
             rows, "model and adapter", quiet);
  const auto after =
      losses(engine::load_language_model(fused.string(), compute), rows, "fused", quiet);
  LossCheck check{.before = engine::mean_loss(before), .after = engine::mean_loss(after)};
  const engine::Estimate lower = engine::loss_reduction(before, after);
  check.difference = {.value = -lower.value, .low = -lower.high, .high = -lower.low};
  check.rows = static_cast<int>(before.size());
  return check;
}

}  // namespace toolkit::export_model
