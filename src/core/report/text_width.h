#pragma once

#include <string_view>

namespace toolkit::report {

/// Columns that UTF-8 text takes on a terminal: combining marks none, East Asian wide letters and
/// emoji two.
int display_width(std::string_view text);

}  // namespace toolkit::report
