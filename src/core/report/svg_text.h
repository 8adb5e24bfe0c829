#pragma once

#include <string>

namespace toolkit::report {

/// Text made fit for XML: markup escaped, control characters left out.
std::string svg_text(const std::string& text);

}  // namespace toolkit::report
