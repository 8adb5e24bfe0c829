#pragma once

#include <string>

#include "core/report/table.h"
#include "projects/compare/comparison.h"

namespace toolkit::compare {

/// The methods with what was measured, the base first; for terminal and HTML.
report::Table result_table(const Comparison& comparison);

/// What came out, for people.
std::string to_page(const Comparison& comparison);

/// The same as the object --json prints, run.json keeps and results.json holds.
Json to_json(const Comparison& comparison);

/// A line for each method, figures in base units (seconds, bytes); empty where not measured.
std::string to_csv(const Comparison& comparison);

}  // namespace toolkit::compare
