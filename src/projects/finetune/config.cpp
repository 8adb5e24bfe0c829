#include "projects/finetune/config.h"

#include "core/base/error.h"
#include "core/files/disk_space.h"
#include "projects/finetune/config_groups.h"
#include "projects/finetune/method.h"
#include "projects/finetune/objective.h"

namespace toolkit::finetune {

namespace {
constexpr double kLeastRate = 1e-9;
}

Fields describe(Config& c) {
  Fields fields;
  describe_input(c, fields);
  describe_objective(c, fields);
  describe_adapter(c, fields);
  describe_training(c, fields);
  describe_optimizer(c, fields);
  describe_run(c, fields);
  return fields;
}

void check(const Config& config) {
  Config copy = config;
  check_fields(describe(copy));
  check_objective(config);
  check_method(config);
  if (config.learning_rate != kAutoRate && config.learning_rate < kLeastRate)
    fail(ErrorKind::kUserInput,
         "--learning-rate {}: expected {} to 10, or -1 for the rate of objective and method",
         config.learning_rate, kLeastRate);
  if (config.layers == 0)
    fail(ErrorKind::kUserInput,
         "--layers 0 would train nothing; give a number from 1, or -1 for all layers");
  if (!config.memory_limit.empty() &&
      files::bytes_from_text(config.memory_limit, "--memory-limit") == 0)
    fail(ErrorKind::kUserInput, "--memory-limit is 0; give a size such as 10GB");
  if (config.output.empty()) fail(ErrorKind::kUserInput, "--output is empty; name a folder");
  if (config.steps > 0 && config.warmup >= config.steps)
    fail(ErrorKind::kUserInput,
         "--warmup {} leaves none of the {} steps; give fewer steps, or a share below 1",
         config.warmup, config.steps);
  if (config.patience > 0 && config.validate_every == 0)
    fail(
        ErrorKind::kUserInput,
        "--patience {} counts validations, but there are none between the first and the last step; "
        "give --validate-every too, such as 50",
        config.patience);
  if (config.nesterov && config.optimizer == "sgd" && config.momentum <= 0)
    fail(ErrorKind::kUserInput, "--nesterov needs --momentum, such as 0.9");
}

}  // namespace toolkit::finetune
