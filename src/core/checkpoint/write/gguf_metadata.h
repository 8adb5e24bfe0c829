#pragma once

#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/checkpoint/gguf_names.h"
#include "core/checkpoint/write/gguf_file.h"
#include "core/text/gguf_tokenizer.h"

namespace toolkit::checkpoint {

/// The `<architecture>.*` keys that a config.json means, the reverse of config_from_gguf. Throws
/// Error(kUserInput) for a missing value, Error(kUnsupported) for what llama.cpp has no key for.
void add_model_keys(const Json& config, const GgufArchitecture& architecture,
                    const std::string& source, GgufMetadata& metadata);

/// What each pair's angle is divided by (rope_freqs.weight): Llama 3's scaling; empty for others.
std::vector<float> rope_divisors(const Json& config, const std::string& source);

/// The tokenizer.ggml.* keys; the first of the stop ids that is not eos ends a turn.
void add_tokenizer_keys(const text::GgufVocabulary& vocabulary,
                        const std::vector<int32_t>& stop_ids, GgufMetadata& metadata);

}  // namespace toolkit::checkpoint
