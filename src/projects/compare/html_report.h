#pragma once

#include <string>

#include "projects/compare/comparison.h"

namespace toolkit::compare {

/// The report as one HTML file that loads nothing: recommendation with its reasons, table, and the
/// plots of plots.h, for light and dark.
std::string html_report(const Comparison& comparison);

}  // namespace toolkit::compare
