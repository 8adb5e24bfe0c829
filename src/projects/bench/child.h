#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace toolkit::bench {

/// Runs a program (argv[0] is searched in PATH) and returns the JSON object that is the last line
/// of its stdout. Its stderr goes to `log`. Throws Error(kNotFound) if it cannot be started,
/// Error(kIo) with the end of the log if it fails or prints no JSON.
nlohmann::json run_child(const std::vector<std::string>& argv, const std::filesystem::path& log);

/// This program, to run it again as a child.
std::string own_program();

}  // namespace toolkit::bench
