#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/cli/command.h"

namespace toolkit::cli {

/// A command line taken apart. Values are still text; nothing has been written into the fields.
struct Parsed {
  const Command* command = nullptr;  // the innermost one named; null: none
  std::vector<std::string> path;     // its names: {"data", "check"}
  std::map<std::string, std::vector<std::string>>
      values;          // field name -> texts; flags "true"/"false"
  std::string config;  // --config
  std::string log_level = "info";
  bool json = false, quiet = false, help = false, version = false;
};

/// Throws Error(kUserInput) for an unknown command or option (naming the nearest one), a surplus
/// argument or a missing value.
Parsed parse(const Program& program, const std::vector<std::string>& arguments);

/// "mlx-toolkit data check": what to type for the help of a command.
std::string command_line(const Program& program, const std::vector<std::string>& path);

/// Names of the options every command has besides its own, with their help: "--json", ...
struct GlobalOption {
  std::string name, short_name, value, help;
  bool root_only = false;
};
const std::vector<GlobalOption>& global_options();

}  // namespace toolkit::cli
