#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/generate/sampling.h"
#include "engine/language_model.h"
#include "models/kv_cache.h"

namespace toolkit::engine {

struct GenerateOptions {
  SamplingOptions sampling;
  int max_tokens = 256;
  std::vector<std::string> stop_texts;            // beside the model's own stop ids
  bool ignore_stop_ids = false;                   // benchmarks: always max_tokens
  int prefill_tokens = 512;                       // prompt tokens in one pass
  std::function<void(std::string_view)> on_text;  // new text, as soon as it is safe to print
  std::function<bool()> interrupted;              // asked before every pass
};

enum class StopReason { kStopToken, kStopText, kMaxTokens, kContextFull, kInterrupted };
const char* stop_reason_name(StopReason reason);  // "stop_token", ...

struct GenerateResult {
  std::string text;
  std::vector<int32_t> ids;  // without the stop token
  StopReason reason = StopReason::kMaxTokens;
  int prompt_tokens = 0;  // of the whole prompt
  int reused_tokens = 0;  // of these, found in the cache
  double prompt_seconds = 0.0;
  double first_token_seconds = 0.0;  // from the call to the first token
  double generation_seconds = 0.0;   // for the tokens after the first

  double prompt_tokens_per_second() const;      // of tokens that were computed
  double generation_tokens_per_second() const;  // after the first token
};

/// Generates from one model and remembers the keys and values of its last sequence, so that a
/// prompt that continues it (the next turn of a chat) costs only its new tokens.
class Generator {
 public:
  explicit Generator(const LanguageModel& model);

  /// Throws Error(kUserInput) for an empty prompt, one with ids the model does not have, or one
  /// that leaves no room in the model's context.
  GenerateResult generate(std::span<const int32_t> prompt, const GenerateOptions& options);

  /// Logits (V) of the token after `ids`, from an empty cache.
  std::vector<float> next_token_logits(std::span<const int32_t> ids);

  void forget();

 private:
  int reuse_prefix(std::span<const int32_t> prompt);
  bool prefill(std::span<const int32_t> ids, const GenerateOptions& options);
  void step(std::span<const int32_t> ids, bool need_logits);

  const LanguageModel& model_;
  models::KvCache cache_;
  std::vector<int32_t> cached_;  // the tokens whose keys and values the cache holds
  std::vector<float> logits_;    // (V), of the newest token
};

}  // namespace toolkit::engine
