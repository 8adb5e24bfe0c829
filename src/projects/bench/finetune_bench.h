#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "projects/bench/config.h"

namespace toolkit::bench {

inline constexpr const char* kFinetuneBaseline = "PEFT f32 padded";

/// LoRA rank 8 on all linear layers over the same rows, once, with the same learning rate and
/// schedule: ours by arithmetic, with the rows' shared beginning computed once per batch and
/// ("unshared") for every row, and the peers. Every run is a process of its own.
nlohmann::json bench_finetune(const FinetuneConfig& config,
                              const std::function<void(const std::string&)>& started);

std::string finetune_table(const nlohmann::json& results);

}  // namespace toolkit::bench
