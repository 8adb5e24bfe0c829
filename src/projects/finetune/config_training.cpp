#include "projects/finetune/config_groups.h"

namespace toolkit::finetune {

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

}  // namespace toolkit::finetune
