#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/distributed/process_group.h"
#include "core/report/run_log.h"
#include "engine/train/trainer.h"
#include "projects/finetune/config.h"
#include "projects/finetune/prepare.h"

namespace toolkit::finetune {

/// One question of the test set and what was said to it.
struct SampleAnswer {
  std::string question, expected, base, tuned;
};

struct Result {
  engine::TrainingSummary training;
  int64_t total_steps = 0;
  int accumulate = 1, processes = 1;  // batches of one step: their product
  std::string optimizer;
  int64_t trainable_parameters = 0;
  int train_rows = 0, valid_rows = 0, truncated_rows = 0, unsupervised_rows = 0;
  double filled_share = 1;  // places that hold a token / places in the batches
  int shared_prefix = 0;    // tokens all training rows begin with, computed once per packed row
  int64_t computed_tokens_per_step = 0;  // mean places in a batch, padding included
  double linear_flops_per_step = 0;      // see step_work.h
  std::string objective;                 // "sft", "dpo", "orpo"
  std::string method;                    // "lora", "dora, rsLoRA", ...
  int rank = 0;                          // of most branches; 0: there are none
  std::string compute;                   // what was used in the end
  double total_seconds = 0;              // with loading, validation and saving
  int64_t peak_rss_bytes = 0;
  std::optional<int64_t> peak_device_bytes;  // of a GPU
  MemoryChoice memory;         // what the peak was expected to be, and what was changed for a limit
  double loss_of_adapter = 0;  // validation loss of what lies in the folder
  engine::Metrics metrics_of_adapter;  // likewise; see engine::Objective
  bool best_is_not_last = false;
  std::filesystem::path adapter, plot;
  std::filesystem::path model;  // of --method full: a Hugging Face folder of its own; else empty
  std::optional<SampleAnswer> sample;
  std::vector<std::string> notes;  // what the user should know, one line each
};

/// Fine-tunes a model: loads it, trains, writes the adapter and the plot. Ctrl-C ends it early with
/// everything saved. Draws a progress bar on stderr unless quiet. Of several processes only the
/// leader writes, draws and answers the sample; the Result of the others has no files.
Result run(Prepared prepared, report::RunLog& log, bool quiet,
           const distributed::ProcessGroup& processes = {});

/// prepare() and run().
Result run(const Config& config, report::RunLog& log, bool quiet,
           const distributed::ProcessGroup& processes = {});

/// The result as the object --json prints and run.json keeps.
nlohmann::json to_json(const Result& result);

}  // namespace toolkit::finetune
