#pragma once

#include <string>

#include "projects/tune/search_run.h"

namespace toolkit::tune {

/// "1/9", "1/3", "all": the share of the steps of a round.
std::string shown_share(const Schedule& schedule, size_t round);

/// What came out, for people.
std::string to_page(const Search& search);

/// The same as the object --json prints and run.json keeps.
Json to_json(const Search& search);

}  // namespace toolkit::tune
