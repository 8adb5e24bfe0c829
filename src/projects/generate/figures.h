#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "engine/generate/generator.h"

namespace toolkit::generate {

/// Counts, rates and the reason it ended, for --json.
nlohmann::json figures_json(const engine::GenerateResult& result);

/// The same as one line for people.
std::string figures_line(const engine::GenerateResult& result);

}  // namespace toolkit::generate
