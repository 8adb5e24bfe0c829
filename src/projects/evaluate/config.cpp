#include "projects/evaluate/config.h"

namespace toolkit::evaluate {

Fields describe(Config& config) {
  const std::string input = "Input", run = "Run";
  return {{.name = "model",
           .target = &config.model,
           .help = "folder, .gguf file or sample://smollm2-135m",
           .group = input,
           .short_name = "m",
           .required = true},
          {.name = "data",
           .target = &config.data,
           .help = "a .jsonl file, or a folder with test.jsonl (else valid.jsonl)",
           .group = input,
           .short_name = "d",
           .required = true},
          {.name = "split",
           .target = &config.split,
           .help = "which file of a folder; auto: test, else valid, else train",
           .group = input,
           .choices = {"auto", "train", "valid", "test"}},
          {.name = "adapter",
           .target = &config.adapter,
           .help = "folder that finetune wrote; base and tuned model are compared",
           .group = input,
           .short_name = "a"},
          {.name = "limit",
           .target = &config.limit,
           .help = "only the first N rows; 0: all",
           .group = input,
           .minimum = 0},
          {.name = "max-length",
           .target = &config.max_length,
           .help = "longer rows are cut to this many tokens",
           .group = run,
           .minimum = 8,
           .maximum = 1 << 22},
          {.name = "batch-tokens",
           .target = &config.batch_tokens,
           .help = "tokens computed at a time; rows are packed until it is full",
           .group = run,
           .minimum = 16,
           .maximum = 1 << 22},
          {.name = "compute",
           .target = &config.compute,
           .help = "arithmetic of the linear layers: f32 is exact, int8 faster with a loss within "
                   "1 % where measured, auto measures",
           .group = run,
           .choices = {"auto", "f32", "bf16", "int8"}}};
}

}  // namespace toolkit::evaluate
