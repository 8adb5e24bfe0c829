#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/base/fields.h"

namespace toolkit::cli {

/// What a running command may know of the terminal.
struct Context {
  bool json =
      false;  // the result object is printed as the last line of stdout; say nothing else there
  bool quiet = false;              // no progress, no tables
  bool color = false;              // stdout is a terminal and NO_COLOR is not set
  std::vector<std::string> given;  // names of the fields set on the command line
  std::vector<std::string> rest;   // of a command that takes them: the words behind --
};

/// One command. `run` prints for people (unless context.json or quiet) and returns the object that
/// --json prints (null: nothing); errors are thrown. A check that found faults says so with "ok":
/// false in its result: the program then ends with exit code 1.
struct Command {
  std::string name;         // "finetune"
  std::string summary;      // one line of the command list
  std::string description;  // more, for its own help page; may be empty
  std::vector<std::string>
      examples;  // whole command lines, with a trailing "# what it does" where useful
  Fields fields;
  std::function<nlohmann::json(const Context&)> run;
  std::vector<Command> subcommands;  // then `run` is empty
  bool takes_rest = false;  // words behind -- are not parsed but given to `run` as they are
};

struct Program {
  std::string name;  // "mlx-toolkit"
  std::string summary;
  std::string version;
  std::vector<Command> commands;
};

/// Parses argv, runs the command, prints errors as `error: ...` on stderr (or {"error": {...}} with
/// --json) and returns the exit code: 0, 1 failure, 2 usage, 70 our bug, 130 interrupted. Adds
/// --json, --quiet,
/// --help, --version, --log-level everywhere and `completion bash|zsh|fish`.
int run_program(const Program& program, int argc, char** argv);

}  // namespace toolkit::cli
