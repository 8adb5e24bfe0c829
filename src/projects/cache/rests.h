#pragma once

#include <filesystem>
#include <vector>

#include "core/model_store/settings.h"

namespace toolkit::cache {

/// Temporary names that a killed process of ours left in the stores of other programs while it
/// published a model there: files that begin with our prefix, and in the Hugging Face cache the
/// `.incomplete` ones that are ours by name or by being a further name of a whole file (its own
/// never are). Call it under the exclusive store lock: nobody publishes then, so all of them are
/// rests.
std::vector<std::filesystem::path> find_rests(const model_store::Environment& environment);

/// Removes them, never what a symlink leads to; one that cannot be removed stays.
void remove_rests(const std::vector<std::filesystem::path>& rests);

}  // namespace toolkit::cache
