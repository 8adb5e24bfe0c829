#pragma once

#include <optional>
#include <string>

#include "core/checkpoint/gguf_header.h"
#include "core/text/gguf_tokenizer.h"

namespace toolkit::checkpoint {

/// The tokenizer.ggml.* keys, checked: lists of equal length, ids inside. Nothing when the file has
/// no tokenizer. Throws Error(kUserInput) with the key.
std::optional<text::GgufVocabulary> vocabulary_of(const GgufHeader& header,
                                                  const std::string& file);

}  // namespace toolkit::checkpoint
