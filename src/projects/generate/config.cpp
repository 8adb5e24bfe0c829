#include "projects/generate/config.h"

#include "engine/measure/choose_compute.h"

namespace toolkit::generate {

namespace {

void add_model(Fields& fields, ModelSettings& settings) {
  const std::string group = "Model";
  fields.push_back({.name = "model",
                    .target = &settings.model,
                    .help = "folder, .gguf file or sample://smollm2-135m",
                    .group = group,
                    .short_name = "m",
                    .required = true});
  fields.push_back({.name = "adapter",
                    .target = &settings.adapter,
                    .help = "folder that finetune wrote; its LoRA branches are put on the model",
                    .group = group,
                    .short_name = "a"});
  fields.push_back({.name = "compute",
                    .target = &settings.compute,
                    .help = "arithmetic: f32 is exact, int8 reads prompts fastest, auto measures",
                    .group = group,
                    .choices = {"auto", "f32", "bf16", "int8"}});
}

void add_sampling(Fields& fields, SamplingSettings& settings) {
  const std::string group = "Sampling";
  fields.push_back({.name = "temperature",
                    .target = &settings.temperature,
                    .help = "0 always takes the likeliest token; 1 draws as the model says",
                    .group = group,
                    .minimum = 0.0,
                    .maximum = 100.0});
  fields.push_back({.name = "top-p",
                    .target = &settings.top_p,
                    .help = "draw from the fewest tokens whose probabilities reach this",
                    .group = group,
                    .minimum = 0.0,
                    .maximum = 1.0});
  fields.push_back({.name = "top-k",
                    .target = &settings.top_k,
                    .help = "draw from this many likeliest tokens; 0: all",
                    .group = group,
                    .minimum = 0});
  fields.push_back({.name = "min-p",
                    .target = &settings.min_p,
                    .help = "leave out tokens below this share of the likeliest one's probability",
                    .group = group,
                    .minimum = 0.0,
                    .maximum = 1.0});
  fields.push_back({.name = "repetition-penalty",
                    .target = &settings.repetition_penalty,
                    .help = "above 1 makes the last 64 tokens less likely",
                    .group = group,
                    .minimum = 0.01,
                    .maximum = 100.0});
  fields.push_back({.name = "seed",
                    .target = &settings.seed,
                    .help = "the same seed draws the same tokens",
                    .group = group,
                    .minimum = 0});
}

}  // namespace

Fields describe(GenerateConfig& config) {
  Fields fields;
  add_model(fields, config.model);
  const std::string group = "Prompt";
  fields.push_back({.name = "prompt",
                    .target = &config.prompt,
                    .help = "what to answer; without it and --prompt-file, stdin is read",
                    .group = group,
                    .short_name = "p"});
  fields.push_back({.name = "prompt-file",
                    .target = &config.prompt_file,
                    .help = "read the prompt from this file",
                    .group = group});
  fields.push_back({.name = "system",
                    .target = &config.system,
                    .help = "system message before the prompt",
                    .group = group});
  fields.push_back({.name = "raw",
                    .target = &config.raw,
                    .help = "continue the text as it stands, without the chat template",
                    .group = group});
  fields.push_back({.name = "max-tokens",
                    .target = &config.max_tokens,
                    .help = "longest answer",
                    .group = "Answer",
                    .short_name = "n",
                    .minimum = 1});
  fields.push_back({.name = "stop",
                    .target = &config.stop,
                    .help = "end before this text; may be given several times",
                    .group = "Answer"});
  add_sampling(fields, config.sampling);
  return fields;
}

Fields describe(ChatConfig& config) {
  Fields fields;
  add_model(fields, config.model);
  fields.push_back({.name = "system",
                    .target = &config.system,
                    .help = "system message that opens the conversation",
                    .group = "Conversation"});
  fields.push_back({.name = "max-tokens",
                    .target = &config.max_tokens,
                    .help = "longest answer",
                    .group = "Conversation",
                    .short_name = "n",
                    .minimum = 1});
  add_sampling(fields, config.sampling);
  return fields;
}

engine::SamplingOptions sampling_options(const SamplingSettings& settings) {
  return {.temperature = settings.temperature,
          .top_k = settings.top_k,
          .top_p = settings.top_p,
          .min_p = settings.min_p,
          .repetition_penalty = settings.repetition_penalty,
          .seed = static_cast<uint64_t>(settings.seed)};
}

engine::LanguageModel load_model(const ModelSettings& settings) {
  return engine::load_language_model(settings.model, engine::choose_compute(settings.compute),
                                     settings.adapter);
}

}  // namespace toolkit::generate
