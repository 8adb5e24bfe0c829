#pragma once

#include <string>
#include <vector>

#include "core/base/fields.h"

namespace toolkit::bench {

/// What both benchmarks share.
struct Config {
  std::string model = "sample://smollm2-135m";
  std::string output = "bench-output";
  bool peers = false;
  std::string peers_python = ".venv-peers/bin/python", peers_folder = "bench/peers";
  std::vector<std::string> only;
};

struct FinetuneConfig : Config {
  std::string data = "examples/data/dictionary";
  std::vector<std::string> methods = {"lora"};
  int train_rows = 128, valid_rows = 48, batch_tokens = 256, seed = 0;
};

struct GenerateConfig : Config {
  std::string prompt = "What is the capital of France, and what is it known for?";
  int prompt_tokens = 512, tokens = 128, repeats = 3;
};

/// What --methods takes: finetune's methods, in the order they are measured.
const std::vector<std::string>& finetune_methods();

Fields describe(FinetuneConfig& config);
Fields describe(GenerateConfig& config);

}  // namespace toolkit::bench
