#pragma once

#include <string>
#include <vector>

#include "core/base/fields.h"
#include "engine/generate/generator.h"

namespace toolkit::generate {

/// Which model answers, and with what arithmetic.
struct ModelSettings {
  std::string model;
  std::string adapter;
  std::string compute = "f32";
};

/// How tokens are picked; see engine::SamplingOptions.
struct SamplingSettings {
  double temperature = 0.0;
  int top_k = 0;
  double top_p = 1.0;
  double min_p = 0.0;
  double repetition_penalty = 1.0;
  int seed = 0;
};

struct GenerateConfig {
  ModelSettings model;
  std::string prompt;
  std::string prompt_file;
  std::string system;
  bool raw = false;
  int max_tokens = 256;
  std::vector<std::string> stop;
  SamplingSettings sampling;
};

struct ChatConfig {
  ModelSettings model;
  std::string system;
  int max_tokens = 1024;
  SamplingSettings sampling{.temperature = 0.3, .top_p = 0.9};
};

Fields describe(GenerateConfig& config);
Fields describe(ChatConfig& config);

engine::SamplingOptions sampling_options(const SamplingSettings& settings);
engine::LanguageModel load_model(const ModelSettings& settings);

}  // namespace toolkit::generate
