#pragma once

#include <cstdint>
#include <string>

#include "core/text/tokenizer.h"

namespace toolkit::text {

/// The bytes a token stands for in the middle of a text; they may be a part of a UTF-8 character.
/// Reads the spellings of byte-level vocabularies (GPT-2: a printable character for every byte) and
/// of SentencePiece ("<0x0A>", U+2581 for a space). "" for an id the tokenizer does not have.
std::string token_bytes(const Tokenizer& tokenizer, int32_t id);

}  // namespace toolkit::text
