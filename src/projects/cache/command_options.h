#pragma once

#include "core/cli/command.h"

namespace toolkit::cache {

/// Every command takes --dry-run, --yes and --verbose, so that a script can give them to all. What
/// a command does not describe itself is added: nothing is changed and nothing asked there anyway,
/// and --verbose says which cache, settings and log it works with.
cli::Command with_options_everywhere(cli::Command command);

}  // namespace toolkit::cache
