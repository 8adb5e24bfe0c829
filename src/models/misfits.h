#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace toolkit::models {

/// Throws one Error(kUserInput) that lists what of a checkpoint does not fit its configuration, the
/// first forty of it, if there is anything.
void refuse_misfits(const std::vector<std::string>& problems, const std::filesystem::path& path,
                    const std::string& family);

}  // namespace toolkit::models
