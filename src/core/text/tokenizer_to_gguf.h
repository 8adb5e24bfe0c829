#pragma once

#include <string>

#include "core/text/gguf_tokenizer.h"

namespace toolkit::text {

/// Texts of the tokens with a role; empty: none.
struct TokenRoles {
  std::string bos, eos, padding;
};

/// A tokenizer.json as a GGUF file has it, the reverse of tokenizer_json_from_gguf: byte-level BPE
/// as "gpt2" with the name of its pre-tokenizer, SentencePiece-like BPE (byte fallback) as "llama"
/// with scores in the order of its merges. Ids from the tokenizer's end to `vocabulary_size` become
/// unused tokens. Throws Error(kUnsupported) for other models and for a pre-tokenizer GGUF has no
/// name for, Error(kUserInput) for a malformed file; `source` is named.
GgufVocabulary gguf_vocabulary_from_tokenizer(const std::string& tokenizer_json,
                                              const TokenRoles& roles, int vocabulary_size,
                                              const std::string& source);

}  // namespace toolkit::text
