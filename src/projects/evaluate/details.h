#pragma once

#include <string>

#include "projects/evaluate/run.h"

namespace toolkit::evaluate {

/// The file of --details: one JSON object a line for every row ("row": its line, with the sum of
/// its losses and its tokens) and every question of a task, each with what base and tuned gave.
std::string details_text(const Result& result);

}  // namespace toolkit::evaluate
