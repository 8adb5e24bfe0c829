#pragma once

#include "core/cli/command.h"

namespace toolkit::export_model {

cli::Command fuse_command();
cli::Command export_command();

}  // namespace toolkit::export_model
