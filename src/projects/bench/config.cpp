#include "projects/bench/config.h"

namespace toolkit::bench {

namespace {

Fields shared(Config& config) {
  return {
      {.name = "model",
       .target = &config.model,
       .help = "folder, .gguf file or sample://smollm2-135m",
       .short_name = "m"},
      {.name = "output", .target = &config.output, .help = "folder for results, logs and adapters"},
      {.name = "peers",
       .target = &config.peers,
       .help = "measure the other programs too (scripts/setup --peers installs them)"},
      {.name = "only",
       .target = &config.only,
       .help = "only these runs; earlier results of the others are kept"},
      {.name = "peers-python", .target = &config.peers_python, .help = "Python that has the peers"},
      {.name = "peers-folder", .target = &config.peers_folder, .help = "where their scripts are"}};
}

}  // namespace

const std::vector<std::string>& finetune_methods() {
  static const std::vector<std::string> methods = {"lora", "qlora", "dora", "full"};
  return methods;
}

Fields describe(FinetuneConfig& config) {
  Fields fields = shared(config);
  fields.insert(
      fields.end(),
      {{.name = "data",
        .target = &config.data,
        .help = "folder with train.jsonl and valid.jsonl",
        .short_name = "d"},
       {.name = "methods",
        .target = &config.methods,
        .help = "finetune's methods to measure, with --peers each beside its peer; --only may name "
                "runs "
                "of any",
        .choices = finetune_methods()},
       {.name = "train-rows",
        .target = &config.train_rows,
        .help = "rows to train on, once",
        .minimum = 8,
        .maximum = 1e6},
       {.name = "valid-rows",
        .target = &config.valid_rows,
        .help = "rows the loss is measured on",
        .minimum = 1,
        .maximum = 1e6},
       {.name = "batch-tokens",
        .target = &config.batch_tokens,
        .help = "our tokens per step; 256 makes about as many steps as PEFT's batches of 4 rows",
        .minimum = 16,
        .maximum = 1e6},
       {.name = "seed", .target = &config.seed, .help = "order of the rows", .minimum = 0}});
  return fields;
}

Fields describe(GenerateConfig& config) {
  Fields fields = shared(config);
  fields.insert(fields.end(),
                {{.name = "prompt",
                  .target = &config.prompt,
                  .help = "a question; repeated until --prompt-tokens for prompt processing"},
                 {.name = "prompt-tokens",
                  .target = &config.prompt_tokens,
                  .help = "length of the long prompt",
                  .minimum = 8,
                  .maximum = 1e5},
                 {.name = "tokens",
                  .target = &config.tokens,
                  .help = "tokens to generate, greedily",
                  .minimum = 2,
                  .maximum = 1e5},
                 {.name = "repeats",
                  .target = &config.repeats,
                  .help = "the best of so many counts",
                  .minimum = 1,
                  .maximum = 100}});
  return fields;
}

}  // namespace toolkit::bench
