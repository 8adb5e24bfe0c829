#pragma once

#include <filesystem>

#include "projects/evaluate/run.h"

namespace toolkit::evaluate {

/// Writes the file of --details: one JSON object a line for every row ("row": its line, with the
/// sum of its losses and its tokens) and every question of a task, each with what base and tuned
/// gave.
void write_details(const std::filesystem::path& path, const Result& result);

}  // namespace toolkit::evaluate
