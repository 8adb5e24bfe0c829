#pragma once

#include <string>

#include "projects/data/survey.h"

namespace toolkit::data_check {

/// What `data check` prints: the files, the lengths with a small histogram, and every kind of
/// problem with its lines (at most `show` of each kind), ending in a verdict.
std::string check_page(const Survey& survey, int show);

/// What `data stats` prints: lengths with a histogram per file, supervised share, packing.
std::string stats_page(const Survey& survey);

}  // namespace toolkit::data_check
