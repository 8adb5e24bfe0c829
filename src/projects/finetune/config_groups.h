#pragma once

#include "projects/finetune/config.h"

namespace toolkit::finetune {

/// The settings by topic, each in its own file; describe() joins them in this order.
void describe_input(Config& config, Fields& fields);      // model, data, output
void describe_objective(Config& config, Fields& fields);  // what the loss is
void describe_adapter(Config& config, Fields& fields);    // method and what it adds to the model
void describe_training(Config& config, Fields& fields);   // steps, batches, learning rate
void describe_optimizer(Config& config, Fields& fields);
void describe_run(Config& config, Fields& fields);  // arithmetic, memory, checkpoints

}  // namespace toolkit::finetune
