#include "projects/finetune/config_groups.h"

namespace toolkit::finetune {

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
  fields.push_back({.name = "memory-limit",
                    .target = &c.memory_limit,
                    .help = "such as 10GB: what does not fit is changed, what costs least first "
                            "(batches, layers computed twice, method, length), and said",
                    .group = group});
  fields.push_back({.name = "dry-run",
                    .target = &c.dry_run,
                    .help = "print what the run would hold in memory, and end",
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
  fields.push_back({.name = "keep",
                    .target = &c.keep,
                    .help = "newest checkpoints that stay in --output; the best one stays as well",
                    .group = group,
                    .minimum = 1});
  fields.push_back({.name = "resume",
                    .target = &c.resume,
                    .help = "go on with the run that was interrupted in --output, from its newest "
                            "checkpoint",
                    .group = group});
  fields.push_back({.name = "resume-from",
                    .target = &c.resume_from,
                    .help = "go on from this checkpoint folder (.../checkpoints/step-000123)",
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

}  // namespace toolkit::finetune
