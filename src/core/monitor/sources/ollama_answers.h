#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/monitor/sources/server_state.h"

namespace toolkit::monitor {

/// Ollama's GET /api/ps. Empty if it is another answer; models that run elsewhere (remote_host) are
/// left out.
struct OllamaLoaded {
  std::vector<LoadedModel> models;
  std::vector<std::string> expires_at;  // of each model, as it came: a jump is the end of a request
};
std::optional<OllamaLoaded> parse_ollama_ps(const Json& answer);

/// "2025-01-12T01:02:03.456789+01:00" in seconds since 1970; empty for another text.
std::optional<int64_t> parse_time(const std::string& text);

/// A text or whole number of an answer; "" or nothing if it is not there or of another type.
std::string text_of(const Json& object, const char* key);
std::optional<int64_t> number_of(const Json& object, const char* key);

}  // namespace toolkit::monitor
