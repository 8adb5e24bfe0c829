#pragma once

#include "core/cli/command.h"

namespace toolkit::diagnose {

/// `version`: of the program, as the bundle says it.
cli::Command export_command(const std::string& version);  // the zip for a bug report
cli::Command check_command();                             // what is wrong and how to mend it

}  // namespace toolkit::diagnose
