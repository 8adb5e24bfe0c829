#pragma once

#include "core/cli/command.h"

namespace toolkit::generate {

/// `mlx-toolkit generate`: one prompt, one answer.
cli::Command generate_command();

/// `mlx-toolkit chat`: a conversation in the terminal, or over a pipe with a turn per line.
cli::Command chat_command();

}  // namespace toolkit::generate
