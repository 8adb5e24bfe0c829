#pragma once

#include <string>
#include <vector>

#include "core/cli/command.h"

namespace toolkit::cli {

struct HelpStyle {
  int width = 80;
  bool color = false;
};

/// The program's page: summary, commands with one line each, where to go next.
std::string program_help(const Program& program, const HelpStyle& style);

/// A command's page: what it does, usage, its settings by group with defaults and ranges, examples.
/// `path` are the command's names, outermost first.
std::string command_help(const Program& program, const std::vector<std::string>& path,
                         const Command& command, const HelpStyle& style);

}  // namespace toolkit::cli
