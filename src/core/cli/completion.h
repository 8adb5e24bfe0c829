#pragma once

#include <string>

#include "core/cli/command.h"

namespace toolkit::cli {

/// A script that teaches `shell` ("bash", "zsh" or "fish") the program's commands, options and the
/// choices of each option. Throws Error(kUserInput) for another shell.
std::string completion_script(const Program& program, const std::string& shell);

}  // namespace toolkit::cli
