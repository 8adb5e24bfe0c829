#include "projects/generate/figures.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace toolkit::generate {

nlohmann::json figures_json(const engine::GenerateResult& result) {
  return {{"prompt_tokens", result.prompt_tokens},
          {"reused_prompt_tokens", result.reused_tokens},
          {"generated_tokens", result.ids.size()},
          {"prompt_tokens_per_second", result.prompt_tokens_per_second()},
          {"generation_tokens_per_second", result.generation_tokens_per_second()},
          {"prompt_seconds", result.prompt_seconds},
          {"generation_seconds", result.generation_seconds},
          {"first_token_seconds", result.first_token_seconds},
          {"stop_reason", engine::stop_reason_name(result.reason)}};
}

std::string figures_line(const engine::GenerateResult& result) {
  std::string line = fmt::format("prompt {} tokens", result.prompt_tokens);
  if (result.reused_tokens > 0) line += fmt::format(" ({} known)", result.reused_tokens);
  line += fmt::format(" at {:.0f}/s, answer {} tokens", result.prompt_tokens_per_second(),
                      result.ids.size());
  if (result.generation_tokens_per_second() > 0.0)
    line += fmt::format(" at {:.1f}/s", result.generation_tokens_per_second());
  line += fmt::format(", first after {:.2f} s", result.first_token_seconds);
  if (result.reason == engine::StopReason::kMaxTokens) line += "; cut at --max-tokens";
  if (result.reason == engine::StopReason::kContextFull) line += "; the model's context is full";
  if (result.reason == engine::StopReason::kInterrupted) line += "; interrupted";
  return line;
}

}  // namespace toolkit::generate
