#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "projects/bench/config.h"

namespace toolkit::bench {

inline constexpr const char* kGenerateBaseline = "llama.cpp";

/// Prompt processing and greedy generation of the same model: ours by arithmetic, the plain graph
/// of MLX's own ops, and the peers.
nlohmann::json bench_generate(const GenerateConfig& config,
                              const std::function<void(const std::string&)>& started);

/// Two tables: prompt tokens/s and generation tokens/s.
std::string generate_table(const nlohmann::json& results);

}  // namespace toolkit::bench
