#pragma once

#include <string>
#include <vector>

#include "core/monitor/sources/server_state.h"

namespace toolkit::monitor {

/// Models that a server could answer with: Ollama's GET /api/tags (with their sizes), else
/// /v1/models. Empty, with why in `trouble`, when it does not answer.
std::vector<LoadedModel> installed_models(const std::string& url, std::string& trouble);

}  // namespace toolkit::monitor
