#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "projects/evaluate/run.h"

namespace toolkit::evaluate {

/// What came out, for people.
std::string to_page(const Config& config, const Result& result);

/// The object --json prints and the list of runs keeps.
nlohmann::json to_json(const Config& config, const Result& result);

}  // namespace toolkit::evaluate
