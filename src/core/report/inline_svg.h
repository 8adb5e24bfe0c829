#pragma once

#include <string>

namespace toolkit::report {

/// One of this folder's SVGs for the inside of an HTML page: its style rules reach only itself.
///   id   of the <svg> element; letters, digits and '-', one for each picture of the page
std::string inline_svg(const std::string& svg, const std::string& id);

}  // namespace toolkit::report
