#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "projects/bench/config.h"

namespace toolkit::bench {

/// Fine-tuning over the same rows, once, with the same learning rate and schedule, rank 8 on all
/// linear layers where there are branches: the runs of finetune_runs.h.
nlohmann::json bench_finetune(const FinetuneConfig& config,
                              const std::function<void(const std::string&)>& started);

/// Each run beside the peer of its method, and beside our LoRA in f32.
std::string finetune_table(const nlohmann::json& results);

}  // namespace toolkit::bench
