#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace toolkit {

/// JSON whose members keep the order they were written in: what a chat template prints.
using OrderedJson = nlohmann::ordered_json;

/// As parse_json; an object may have at most 4096 members (looking one up takes a pass over them).
OrderedJson parse_ordered_json(std::string_view text, const std::string& source,
                               int max_depth = 128);

}  // namespace toolkit
