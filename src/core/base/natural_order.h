#pragma once

#include <string_view>

namespace toolkit {

/// Orders names as people do: "model-2" before "model-10". Runs of digits compare by their value,
/// everything else byte by byte; names that differ only in leading zeros compare byte by byte.
bool natural_less(std::string_view a, std::string_view b);

}  // namespace toolkit
