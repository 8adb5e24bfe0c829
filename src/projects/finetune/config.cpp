#include "projects/finetune/config.h"

#include "core/base/error.h"
#include "core/optim/schedule.h"

namespace toolkit::finetune {

namespace {

void describe_lora(Config& c, Fields& fields) {
  fields.push_back(
      {.name = "method",
       .target = &c.method,
       .help = "what is trained: lora adds small matrices and leaves the model as it is",
       .group = "Adapter",
       .choices = {"lora"}});
  fields.push_back({.name = "rank",
                    .target = &c.rank,
                    .help = "inner width of the LoRA matrices",
                    .group = "Adapter",
                    .minimum = 1,
                    .maximum = 4096});
  fields.push_back({.name = "alpha",
                    .target = &c.alpha,
                    .help = "strength: the LoRA branch is multiplied by alpha / rank",
                    .group = "Adapter",
                    .minimum = 1e-6,
                    .maximum = 1e6});
  fields.push_back(
      {.name = "targets",
       .target = &c.targets,
       .help = "layers that get a LoRA branch: all, attention, mlp, or names such as q_proj,v_proj",
       .group = "Adapter"});
  fields.push_back({.name = "layers",
                    .target = &c.layers,
                    .help = "adapt only the last N decoder layers; -1: all of them",
                    .group = "Adapter",
                    .minimum = -1});
}

void describe_training(Config& c, Fields& fields) {
  const std::string group = "Training";
  fields.push_back({.name = "learning-rate",
                    .target = &c.learning_rate,
                    .help = "highest learning rate",
                    .group = group,
                    .minimum = 1e-9,
                    .maximum = 10});
  fields.push_back({.name = "schedule",
                    .target = &c.schedule,
                    .help = "how the learning rate falls after the warm-up",
                    .group = group,
                    .choices = {"constant", "linear", "cosine"}});
  fields.push_back({.name = "warmup",
                    .target = &c.warmup,
                    .help = "steps over which the learning rate rises; below 1: share of all steps",
                    .group = group,
                    .minimum = 0,
                    .maximum = 1e9});
  fields.push_back({.name = "epochs",
                    .target = &c.epochs,
                    .help = "passes over the training rows",
                    .group = group,
                    .minimum = 1e-6,
                    .maximum = 1e6});
  fields.push_back({.name = "steps",
                    .target = &c.steps,
                    .help = "steps to train, instead of --epochs; 0: by epochs",
                    .group = group,
                    .minimum = 0});
  fields.push_back(
      {.name = "batch-tokens",
       .target = &c.batch_tokens,
       .help = "tokens per step, each row counted whole; rows are packed until it is full",
       .group = group,
       .minimum = 16,
       .maximum = 1 << 22});
  fields.push_back({.name = "max-length",
                    .target = &c.max_length,
                    .help = "longer rows are cut to this many tokens",
                    .group = group,
                    .minimum = 8,
                    .maximum = 1 << 22});
  fields.push_back({.name = "share-prefix",
                    .target = &c.share_prefix,
                    .help = "compute what all rows begin with once per packed row: same result, "
                            "less work",
                    .group = group});
  fields.push_back({.name = "clip",
                    .target = &c.clip,
                    .help = "largest gradient norm; 0: no clipping",
                    .group = group,
                    .minimum = 0});
  fields.push_back({.name = "weight-decay",
                    .target = &c.weight_decay,
                    .help = "AdamW's weight decay",
                    .group = group,
                    .minimum = 0,
                    .maximum = 1});
  fields.push_back({.name = "seed",
                    .target = &c.seed,
                    .help = "of the first values and the order of the rows; same seed, same run",
                    .group = group,
                    .minimum = 0});
}

void describe_run(Config& c, Fields& fields) {
  const std::string group = "Run";
  fields.push_back(
      {.name = "compute",
       .target = &c.compute,
       .help = "arithmetic of the frozen layers: f32 is exact, bf16 rounds to 8 bits of mantissa "
               "(only where that is faster: AMX, GPUs), int8 has a loss within 1 % where "
               "measured, auto measures",
       .group = group,
       .choices = {"f32", "bf16", "int8", "auto"}});
  fields.push_back({.name = "checkpoint-layers",
                    .target = &c.checkpoint_layers,
                    .help = "keep less in memory and compute layers twice (about a quarter slower)",
                    .group = group});
  fields.push_back({.name = "validate-every",
                    .target = &c.validate_every,
                    .help = "steps between validations; 0: only before and after",
                    .group = group,
                    .minimum = 0});
  fields.push_back({.name = "save-every",
                    .target = &c.save_every,
                    .help = "steps between checkpoints; 0: only at the end",
                    .group = group,
                    .minimum = 0});
  fields.push_back({.name = "resume",
                    .target = &c.resume,
                    .help = "go on with the run that was interrupted in --output",
                    .group = group});
  fields.push_back({.name = "skip-bad-rows",
                    .target = &c.skip_bad_rows,
                    .help = "leave out rows that cannot be used instead of stopping",
                    .group = group});
  fields.push_back(
      {.name = "sample",
       .target = &c.sample,
       .help = "row of the test file that base and tuned model answer at the end; 0: none",
       .group = group,
       .minimum = 0});
}

}  // namespace

Fields describe(Config& c) {
  Fields fields;
  fields.push_back({.name = "model",
                    .target = &c.model,
                    .help = "folder, .gguf file or sample://smollm2-135m",
                    .group = "Input and output",
                    .short_name = "m",
                    .required = true});
  fields.push_back(
      {.name = "data",
       .target = &c.data,
       .help = "folder with train.jsonl (and valid.jsonl, test.jsonl), or one .jsonl file",
       .group = "Input and output",
       .short_name = "d",
       .required = true});
  fields.push_back({.name = "output",
                    .target = &c.output,
                    .help = "folder for the adapter and what was measured",
                    .group = "Input and output",
                    .short_name = "o"});
  describe_lora(c, fields);
  describe_training(c, fields);
  describe_run(c, fields);
  return fields;
}

void check(const Config& config) {
  Config copy = config;
  check_fields(describe(copy));
  if (config.layers == 0)
    fail(ErrorKind::kUserInput,
         "--layers 0 would train nothing; give a number from 1, or -1 for all layers");
  if (config.output.empty()) fail(ErrorKind::kUserInput, "--output is empty; name a folder");
  if (config.steps > 0 && config.warmup >= config.steps)
    fail(ErrorKind::kUserInput,
         "--warmup {} leaves none of the {} steps; give fewer steps, or a share below 1",
         config.warmup, config.steps);
}

}  // namespace toolkit::finetune
