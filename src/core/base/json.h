#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace toolkit {

using Json = nlohmann::json;

/// Parses JSON text. Throws Error(kUserInput) "source:line:column: expected ..., found ...";
/// nesting deeper than `max_depth` and duplicate keys are errors.
Json parse_json(std::string_view text, const std::string& source, int max_depth = 128);

}  // namespace toolkit
