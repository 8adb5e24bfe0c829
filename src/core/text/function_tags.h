#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/text/tool_calls.h"

namespace toolkit::text {

struct ReadCall {
  std::string name, arguments;  // a JSON object's text
};

/// Reads Qwen3-Coder's form of a call: <function=name> <parameter=key> value </parameter> ...
/// </function>. A value is a text where the function's schema says so, else JSON if it is that.
/// Nothing for another text or a function that is not offered.
std::optional<ReadCall> read_function_tags(std::string_view text, std::span<const Tool> tools);

}  // namespace toolkit::text
