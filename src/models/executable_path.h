#pragma once

#include <filesystem>

namespace toolkit::models {

/// Where the running program's file lies, links resolved; empty if the system does not say.
std::filesystem::path executable_path();

}  // namespace toolkit::models
