#pragma once

#include <string>

namespace toolkit::report {

/// Text made fit for XML: markup escaped, control characters left out.
std::string svg_text(const std::string& text);

/// The beginning of a picture of this folder: its size, style rules (a <style> element), page and
/// title. `</svg>` ends it.
std::string svg_page(const std::string& title, double width, double height, const char* style);

}  // namespace toolkit::report
