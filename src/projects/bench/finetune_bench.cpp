#include "projects/bench/finetune_bench.h"

#include <filesystem>

#include "core/base/atomic_file.h"
#include "core/base/json.h"
#include "projects/bench/finetune_runs.h"
#include "projects/bench/results.h"

namespace toolkit::bench {

namespace {

namespace fs = std::filesystem;

void copy_rows(const fs::path& from, const fs::path& to, int count) {
  const std::string text = read_file(from);
  size_t end = 0;
  for (int i = 0; i < count && end < text.size(); ++i) {
    const size_t line_end = text.find('\n', end);
    end = line_end == std::string::npos ? text.size() : line_end + 1;
  }
  write_file_atomically(to, std::string_view(text).substr(0, end));
}

// The rows every program trains on and is tested on.
fs::path make_data(const FinetuneConfig& config) {
  const fs::path folder = fs::path(config.output) / "rows";
  fs::create_directories(folder);
  copy_rows(fs::path(config.data) / "train.jsonl", folder / "train.jsonl", config.train_rows);
  copy_rows(fs::path(config.data) / "valid.jsonl", folder / "valid.jsonl", config.valid_rows);
  return folder;
}

}  // namespace

Json bench_finetune(const FinetuneConfig& config,
                    const std::function<void(const std::string&)>& started) {
  const fs::path data = make_data(config);
  const Json settings = {{"model", config.model},
                         {"data", config.data},
                         {"train_rows", config.train_rows},
                         {"valid_rows", config.valid_rows},
                         {"batch_tokens", config.batch_tokens},
                         {"seed", config.seed},
                         {"rank", 8},
                         {"learning_rate", learning_rate_of_method("lora")},
                         {"learning_rate_full", learning_rate_of_method("full")}};
  return measure_runs(config, "finetune", settings, finetune_runs(config, data), started);
}

std::string finetune_table(const Json& results) {
  const auto peer = [](const Json& run) {
    return baseline_of_method(run.value("method", std::string("lora")));
  };
  const auto lora = [](const Json&) { return std::string("toolkit f32"); };
  return table_of(results, {{"real tokens/s", "tokens_per_second", 1},
                            {"times peer", "tokens_per_second", 2, 1, peer},
                            {"times our LoRA", "tokens_per_second", 2, 1, lora},
                            {"tokens", "tokens"},
                            {"steps", "steps"},
                            {"computed a step", "computed_tokens_per_step"},
                            {"linear GFLOP/s", "linear_flops_per_second", 0, 1e-9},
                            {"% of matmul", "share_of_matrix_product", 0, 100},
                            {"loss before", "validation_loss_before", 4},
                            {"loss after", "validation_loss_after", 4},
                            {"peak GB", "peak_rss_bytes", 2, 1e-9}});
}

}  // namespace toolkit::bench
