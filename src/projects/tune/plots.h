#pragma once

#include <string>
#include <utility>
#include <vector>

#include "projects/tune/search_run.h"

namespace toolkit::tune {

/// Loss by trial: whole ones, shorter ones, and the best whole one so far.
std::string trials_svg(const Search& search);

/// Share of the loss's variance over the space that each setting explains alone, largest first;
/// empty with too few trials to tell (4).
std::vector<std::pair<std::string, double>> importances(const Search& search);

/// importances as bars; "" if there are none.
std::string importance_svg(const Search& search);

}  // namespace toolkit::tune
