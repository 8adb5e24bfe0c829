#include "projects/export/loss_check.h"

#include <algorithm>

#include "core/base/paths.h"
#include "core/base/progress.h"
#include "core/data/data_set.h"
#include "engine/evaluate/judged_rows.h"
#include "engine/language_model.h"
#include "engine/measure/choose_compute.h"

namespace toolkit::export_model {

namespace {

namespace fs = std::filesystem;

constexpr int kLongest = 2048;  // tokens of a row

fs::path rows_file(const fs::path& path) {
  const data::DataFiles files = data::find_data_files(path);
  return !files.valid.empty() ? files.valid : !files.test.empty() ? files.test : files.train;
}

std::vector<engine::RowLoss> losses(const std::string& name, const fs::path& adapter,
                                    const FuseConfig& config, const std::string& label,
                                    bool quiet) {
  const engine::LanguageModel model =
      engine::load_language_model(name, engine::choose_compute(config.compute), adapter);
  const engine::JudgedRows rows = engine::read_judged_rows(
      rows_file(expanded_path(config.data)), model,
      {.max_length = std::min(kLongest, model.decoder->config().max_positions),
       .limit = config.limit});
  Progress progress(label, static_cast<int64_t>(rows.samples.size()), quiet);
  auto result = engine::row_losses(*model.decoder, rows.samples,
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
  const auto before =
      losses(config.model, expanded_path(config.adapter), config, "model and adapter", quiet);
  const auto after = losses(fused.string(), {}, config, "fused", quiet);
  LossCheck check{.before = engine::mean_loss(before), .after = engine::mean_loss(after)};
  const engine::Estimate lower = engine::loss_reduction(before, after);
  check.difference = {.value = -lower.value, .low = -lower.high, .high = -lower.low};
  check.rows = static_cast<int>(before.size());
  return check;
}

}  // namespace toolkit::export_model
