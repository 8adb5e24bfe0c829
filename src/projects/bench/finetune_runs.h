#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "projects/bench/config.h"
#include "projects/bench/results.h"

namespace toolkit::bench {

/// The runs of `bench finetune` over the rows in `data`, in the order they are measured: those of
/// `config.methods`, or of every method where `config.only` names some; peers where they are
/// wanted. Ours by method, of LoRA also by arithmetic and ("unshared") with the rows' shared
/// beginning computed for every row. Every run is a process of its own.
std::vector<Run> finetune_runs(const FinetuneConfig& config, const std::filesystem::path& data);

/// The peer's run that the runs of a method are compared with: "PEFT f32 padded". "" for a method
/// there is not.
std::string baseline_of_method(const std::string& method);

/// The highest learning rate of a method's runs, as finetune and the peers take it. Whole weights
/// want a tenth of what branches do.
std::string learning_rate_of_method(const std::string& method);

}  // namespace toolkit::bench
