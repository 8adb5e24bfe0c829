#include "projects/finetune/config_groups.h"

namespace toolkit::finetune {

void describe_objective(Config& c, Fields& fields) {
  const std::string group = "Objective";
  fields.push_back({.name = "objective",
                    .target = &c.objective,
                    .help = "what is learned: the answers of the rows (sft), or of prompt, chosen "
                            "and rejected which answer is the better one (dpo: measured against "
                            "the base model; orpo: together with the chosen answer, no reference)",
                    .group = group,
                    .choices = {"sft", "dpo", "orpo"}});
  fields.push_back({.name = "beta",
                    .target = &c.beta,
                    .help = "dpo: how near the model stays to the base, lower is freer; orpo: "
                            "weight of the preference beside the chosen answer (the paper's "
                            "lambda)",
                    .group = group,
                    .minimum = 1e-6,
                    .maximum = 1000});
  fields.push_back({.name = "loss-type",
                    .target = &c.loss_type,
                    .help = "dpo: how a margin becomes a loss; --label-smoothing below 0.5 makes "
                            "sigmoid cDPO, for pairs that may be the wrong way round",
                    .group = group,
                    .choices = {"sigmoid", "hinge", "ipo"}});
}

}  // namespace toolkit::finetune
