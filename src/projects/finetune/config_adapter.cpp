#include "projects/finetune/config_groups.h"

namespace toolkit::finetune {

void describe_adapter(Config& c, Fields& fields) {
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

}  // namespace toolkit::finetune
