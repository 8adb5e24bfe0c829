#pragma once

#include <string>
#include <string_view>

namespace toolkit::text {

/// How a byte-level BPE vocabulary cuts text before merging.
struct PreTokenizer {
  std::string split;  // regular expression of the pieces; empty: GPT-2's, built into ByteLevel
  bool single_digits = false;  // each digit is a piece of its own before that
  bool ignore_merges = false;  // a piece that is a token stays whole
  bool nfc = false;            // text is composed (Unicode NFC) first

  bool operator==(const PreTokenizer&) const = default;
};

/// The pre-tokenizer of GGUF's tokenizer.ggml.pre ("" and "default": GPT-2's). Throws
/// Error(kUnsupported) listing the known names. Definitions: the tokenizer.json of the models the
/// names come from.
const PreTokenizer& find_pre_tokenizer(const std::string& name);

/// The name of a pre-tokenizer that cuts in this way; "" if there is none.
std::string pre_tokenizer_name(const PreTokenizer& pre_tokenizer);

}  // namespace toolkit::text
