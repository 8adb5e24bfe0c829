#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace toolkit::model_store {

/// Python's fnmatch (`*`, `?`, `[seq]`, `*` over '/' too), a pattern ending in '/' means the
/// folder: the rules of huggingface_hub's allow_patterns and ignore_patterns.
bool matches_pattern(std::string_view path, std::string_view pattern);

/// Kept: allowed by any pattern (or no allow patterns) and ignored by none.
bool is_wanted(std::string_view path, const std::vector<std::string>& allow,
               const std::vector<std::string>& ignore);

}  // namespace toolkit::model_store
