#pragma once

#include "core/cli/command.h"

namespace toolkit::dash {

// Each in its own file, <name>_command.cpp.
cli::Command status_command();     // one look
cli::Command watch_command();      // looks again and again, in the terminal
cli::Command history_command();    // sessions and models of the days kept
cli::Command export_command();     // the same as JSON or CSV
cli::Command config_command();     // preferences
cli::Command benchmark_command();  // the standard prompts
cli::Command proxy_command();      // passes requests on and counts

}  // namespace toolkit::dash
