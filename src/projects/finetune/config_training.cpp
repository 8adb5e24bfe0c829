#include "projects/finetune/config_groups.h"

namespace toolkit::finetune {

void describe_training(Config& c, Fields& fields) {
  const std::string group = "Training";
  fields.push_back({.name = "learning-rate",
                    .target = &c.learning_rate,
                    .help = "highest learning rate; -1: 2e-4 for branches (dpo 5e-5, orpo 8e-5), "
                            "with --method full a tenth of it",
                    .group = group,
                    .minimum = -1,
                    .maximum = 10});
  fields.push_back({.name = "schedule",
                    .target = &c.schedule,
                    .help = "how the learning rate falls after the warm-up; wsd keeps it and falls "
                            "over the last --decay-share",
                    .group = group,
                    .choices = {"constant", "linear", "cosine", "wsd"}});
  fields.push_back({.name = "warmup",
                    .target = &c.warmup,
                    .help = "steps over which the learning rate rises; below 1: share of all steps",
                    .group = group,
                    .minimum = 0,
                    .maximum = 1e9});
  fields.push_back({.name = "decay-share",
                    .target = &c.decay_share,
                    .help = "share of all steps over which wsd falls",
                    .group = group,
                    .minimum = 0,
                    .maximum = 1});
  fields.push_back({.name = "epochs",
                    .target = &c.epochs,
                    .help = "passes over the training rows",
                    .group = group,
                    .minimum = 1e-6,
                    .maximum = 1e6});
  fields.push_back({.name = "steps",
                    .target = &c.steps,
                    .help = "steps (optimizer updates) to train, instead of --epochs; 0: by epochs",
                    .group = group,
                    .minimum = 0});
  fields.push_back(
      {.name = "batch-tokens",
       .target = &c.batch_tokens,
       .help = "tokens per batch, each row counted whole; rows are packed until it is full; auto: "
               "by the rows",
       .group = group,
       .minimum = 16,
       .maximum = 1 << 22,
       .automatic = kAuto});
  fields.push_back({.name = "accumulate",
                    .target = &c.accumulate,
                    .help = "batches whose gradients make one step, weighted by their supervised "
                            "tokens: the step of a batch that large, in the memory of one",
                    .group = group,
                    .minimum = 1,
                    .maximum = 1 << 20});
  fields.push_back({.name = "max-length",
                    .target = &c.max_length,
                    .help = "longer rows are cut to this many tokens; auto: as many as nearly all "
                            "rows need",
                    .group = group,
                    .minimum = 8,
                    .maximum = 1 << 22,
                    .automatic = kAuto});
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
  fields.push_back({.name = "patience",
                    .target = &c.patience,
                    .help = "validations in a row without improvement that end the run; 0: none do",
                    .group = group,
                    .minimum = 0});
  fields.push_back({.name = "min-delta",
                    .target = &c.min_delta,
                    .help = "by how much the validation loss must fall to be an improvement for "
                            "--patience",
                    .group = group,
                    .minimum = 0});
  fields.push_back({.name = "seed",
                    .target = &c.seed,
                    .help = "of the first values and the order of the rows; same seed, same run",
                    .group = group,
                    .minimum = 0});
}

}  // namespace toolkit::finetune
