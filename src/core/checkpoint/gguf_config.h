#pragma once

#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/checkpoint/gguf_header.h"
#include "core/checkpoint/gguf_names.h"

namespace toolkit::checkpoint {

/// What of a GGUF file's tensors shapes its configuration.
struct GgufTraits {
  int64_t vocabulary_size = 0;  // rows of token_embd
  bool tied = false;            // no output.weight
  bool attention_bias = false;  // blk.0.attn_q.bias is there
  std::vector<float>
      rope_factors;  // rope_freqs.weight: what each pair's angle is divided by; or empty
};

/// Hugging Face's config.json from GGUF metadata. Throws Error(kUserInput) for a missing or
/// impossible value, Error(kUnsupported) for what the model code has no words for.
Json config_from_gguf(const GgufHeader& header, const GgufArchitecture& architecture,
                      const GgufTraits& traits, const std::string& file);

}  // namespace toolkit::checkpoint
