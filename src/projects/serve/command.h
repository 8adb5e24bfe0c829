#pragma once

#include "core/cli/command.h"

namespace toolkit::serve {

/// `mlx-toolkit serve`: models over HTTP, for clients of OpenAI's and Ollama's APIs.
cli::Command serve_command();

}  // namespace toolkit::serve
