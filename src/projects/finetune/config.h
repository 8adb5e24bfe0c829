#pragma once

#include <string>
#include <vector>

#include "core/base/fields.h"

namespace toolkit::finetune {

/// What the word auto is in a number of Config.
constexpr int kAuto = 0;
/// The learning rate that stands for the one of objective and method.
constexpr double kAutoRate = -1;

/// Settings of `mlx-toolkit finetune`. Defaults are what the field found to work for LoRA.
struct Config {
  std::string model, data, output = "finetune-output";
  std::vector<std::string> columns;
  double valid_share = 0.1;

  std::string objective = "sft";
  double beta = 0.1;
  std::string loss_type = "sigmoid";

  std::string method = "lora";
  int rank = 8;
  double alpha = 16;
  bool rslora = false;
  std::string init = "zero";
  std::vector<std::string> targets = {"all"}, exclude, ranks;
  int layers = -1;
  int quantize_group = 64;
  double dropout = 0.0;
  double neftune = 0.0;
  double label_smoothing = 0.0;

  double learning_rate = kAutoRate;
  std::string schedule = "cosine";
  double warmup = 0.05;
  double decay_share = 0.1;
  double epochs = 1;
  int steps = 0;
  int batch_tokens = 512;
  int accumulate = 1;
  int max_length = 1024;
  bool share_prefix = true;
  double clip = 1.0;
  int patience = 0;
  double min_delta = 0;
  int seed = 0;

  std::string optimizer = "adamw";
  double weight_decay = 0.0;
  double lora_plus_ratio = 1;
  double beta1 = -1, beta2 = -1;
  double momentum = -1;
  bool nesterov = false, relative_step = false;

  std::string compute = "f32";
  bool checkpoint_layers = false;
  std::string memory_limit;  // "10GB"; empty: none
  bool dry_run = false;
  int validate_every = 0;
  int save_every = 100;
  int keep = 1;
  bool resume = false;
  std::string resume_from;
  bool skip_bad_rows = false;
  int sample = 1;
};

/// The one description of these settings: command line, YAML file and web form come from it.
Fields describe(Config& config);

/// What can be refused without looking at model or data. Throws Error(kUserInput) with what would
/// work.
void check(const Config& config);

}  // namespace toolkit::finetune
