#include "core/optim/optimizer.h"
#include "projects/finetune/config_groups.h"

namespace toolkit::finetune {

void describe_optimizer(Config& c, Fields& fields) {
  const std::string group = "Optimizer";
  fields.push_back({.name = "optimizer",
                    .target = &c.optimizer,
                    .help = "adamw8bit keeps a third less in memory, adafactor and sgd almost "
                            "nothing; lion wants a third of the learning rate; muon is for "
                            "matrices, the rest takes adamw",
                    .group = group,
                    .choices = optim::optimizer_names()});
  fields.push_back({.name = "weight-decay",
                    .target = &c.weight_decay,
                    .help = "share of the learning rate by which parameters shrink in a step; "
                            "norms, biases and magnitudes do not",
                    .group = group,
                    .minimum = 0,
                    .maximum = 1});
  fields.push_back({.name = "lora-plus-ratio",
                    .target = &c.lora_plus_ratio,
                    .help = "LoRA+: learning rate of the B matrices over that of the A matrices, "
                            "such as 16; 1: the same",
                    .group = group,
                    .minimum = 1e-3,
                    .maximum = 1e4});
  fields.push_back({.name = "beta1",
                    .target = &c.beta1,
                    .help = "share of the past in the first moment; -1: the optimizer's default",
                    .group = group,
                    .minimum = -1,
                    .maximum = 0.99999});
  fields.push_back({.name = "beta2",
                    .target = &c.beta2,
                    .help = "share of the past in the second moment; -1: the optimizer's default",
                    .group = group,
                    .minimum = -1,
                    .maximum = 0.9999999});
  fields.push_back({.name = "momentum",
                    .target = &c.momentum,
                    .help = "of sgd and muon; -1: 0 and 0.95",
                    .group = group,
                    .minimum = -1,
                    .maximum = 0.99999});
  fields.push_back({.name = "nesterov",
                    .target = &c.nesterov,
                    .help = "sgd with Nesterov's momentum (muon always has it)",
                    .group = group});
  fields.push_back({.name = "relative-step",
                    .target = &c.relative_step,
                    .help = "adafactor finds the learning rate from the step's number and the "
                            "parameters' size; --learning-rate and --schedule have no effect",
                    .group = group});
}

}  // namespace toolkit::finetune
