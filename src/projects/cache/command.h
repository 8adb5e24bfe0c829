#pragma once

#include "core/cli/command.h"

namespace toolkit::cache {

// Each in its own file, <name>_command.cpp.
cli::Command status_command();  // models and apps
cli::Command add_command();     // fetch, keep, publish
cli::Command remove_command();
cli::Command link_command();  // an app starts to use the cache
cli::Command unlink_command();
cli::Command clean_command();  // what nobody uses
cli::Command stats_command();  // space used and saved
cli::Command config_command();
cli::Command sync_command();   // find models everywhere, leave one copy
cli::Command adopt_command();  // the same for one folder, with --undo
cli::Command verify_command();
cli::Command repair_command();
cli::Command du_command();
cli::Command path_command();  // where a model lies, for scripts and other programs
cli::Command export_command();
cli::Command import_command();

}  // namespace toolkit::cache
