#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/text/token_constraint.h"
#include "engine/generate/generator.h"
#include "engine/generate/sampling.h"

namespace toolkit::engine {

/// One text to be generated among others.
struct BatchRequest {
  std::vector<int32_t> prompt;
  SamplingOptions sampling;
  int max_tokens = 256;
  std::vector<std::string> stop_texts;  // beside the model's own stop ids
  bool ignore_stop_ids = false;         // benchmarks: always max_tokens
  std::string adapter;                  // name of a loaded adapter; "": the model itself
  int top_logprobs = -1;  // -1: no log-probabilities; n: of the token and the n likeliest
  std::shared_ptr<text::TokenConstraint> constraint;  // what may be said; null: anything
  std::optional<std::chrono::steady_clock::time_point> deadline;  // ends as kTimeout
};

struct TokenLogprob {
  int32_t id;
  std::string bytes;  // what the token stands for; may be a part of a UTF-8 character
  float logprob;      // of the model, at temperature 1, before penalties and constraint
};

/// A generated token, where log-probabilities were asked for.
struct TokenReport {
  TokenLogprob token;
  std::vector<TokenLogprob> top;  // likeliest first
};

enum class FinishReason {
  kStopToken,
  kStopText,
  kMaxTokens,
  kContextFull,
  kCancelled,
  kTimeout,
  kError
};

const char* finish_reason_name(FinishReason reason);  // "stop_token", ...

struct BatchFigures {
  int prompt_tokens = 0;
  int cached_tokens = 0;  // of the prompt, found in the prefix cache
  int generated_tokens = 0;
  double queue_seconds = 0.0, prompt_seconds = 0.0, generation_seconds = 0.0;
};

/// News of one request after a step. The last one has `finish`.
struct BatchEvent {
  std::string text;  // new text that no stop text can take back
  std::vector<TokenReport> tokens;
  std::optional<FinishReason> finish;
  std::string error;  // with kError: what went wrong, for the user
  BatchFigures figures;
};

/// Called on the engine's thread, never twice at once for one request: must be quick and not throw.
using BatchListener = std::function<void(const BatchEvent&)>;

}  // namespace toolkit::engine
