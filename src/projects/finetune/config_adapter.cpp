#include "projects/finetune/config_groups.h"

namespace toolkit::finetune {

namespace {

const char* const kGroup = "Method";

void describe_branches(Config& c, Fields& fields) {
  fields.push_back({.name = "rank",
                    .target = &c.rank,
                    .help =
                        "inner width of the LoRA matrices; auto: by the directions in which the "
                        "first gradients pull",
                    .group = kGroup,
                    .minimum = 1,
                    .maximum = 4096,
                    .automatic = kAuto});
  fields.push_back({.name = "alpha",
                    .target = &c.alpha,
                    .help = "strength: the LoRA branch is multiplied by alpha / rank",
                    .group = kGroup,
                    .minimum = 1e-6,
                    .maximum = 1e6});
  fields.push_back({.name = "rslora",
                    .target = &c.rslora,
                    .help = "multiply by alpha / sqrt(rank) instead: for high ranks",
                    .group = kGroup});
  fields.push_back({.name = "init",
                    .target = &c.init,
                    .help = "first values: zero changes nothing; pissa takes the leading singular "
                            "vectors of each weight",
                    .group = kGroup,
                    .choices = {"zero", "pissa"}});
}

void describe_targets(Config& c, Fields& fields) {
  fields.push_back({.name = "targets",
                    .target = &c.targets,
                    .help = "layers that get a LoRA branch: all, attention, mlp, names such as "
                            "q_proj or self_attn.*, or layers.0-5.mlp",
                    .group = kGroup});
  fields.push_back({.name = "exclude",
                    .target = &c.exclude,
                    .help = "layers among the targets that get none, in the same words",
                    .group = kGroup});
  fields.push_back({.name = "ranks",
                    .target = &c.ranks,
                    .help = "other ranks for some layers: q_proj=16,layers.0-5.mlp=4",
                    .group = kGroup});
  fields.push_back({.name = "layers",
                    .target = &c.layers,
                    .help = "train only the last N decoder layers; -1: all of them, and with full "
                            "also embeddings and head",
                    .group = kGroup,
                    .minimum = -1});
}

void describe_regularization(Config& c, Fields& fields) {
  fields.push_back({.name = "dropout",
                    .target = &c.dropout,
                    .help = "share of each LoRA branch's input that is zeroed in a step",
                    .group = kGroup,
                    .minimum = 0,
                    .maximum = 0.99});
  fields.push_back({.name = "neftune",
                    .target = &c.neftune,
                    .help =
                        "strength of noise on the embeddings in training (NEFTune; 5 is usual); "
                        "0: none",
                    .group = kGroup,
                    .minimum = 0,
                    .maximum = 1000});
  fields.push_back(
      {.name = "label-smoothing",
       .target = &c.label_smoothing,
       .help = "share of each target spread over all tokens, in the training loss only; of dpo see "
               "--loss-type",
       .group = kGroup,
       .minimum = 0,
       .maximum = 0.99});
}

}  // namespace

void describe_adapter(Config& c, Fields& fields) {
  fields.push_back({.name = "method",
                    .target = &c.method,
                    .help = "what is trained: small matrices beside the weights (lora; dora adds a "
                            "length per output; qlora packs the base to 4 bits first), or the "
                            "weights themselves (full)",
                    .group = kGroup,
                    .choices = {"lora", "qlora", "dora", "full"}});
  describe_branches(c, fields);
  describe_targets(c, fields);
  fields.push_back({.name = "quantize-group",
                    .target = &c.quantize_group,
                    .help = "qlora: weights that share a scale: 32, 64 or 128",
                    .group = kGroup,
                    .minimum = 32,
                    .maximum = 128});
  describe_regularization(c, fields);
}

}  // namespace toolkit::finetune
