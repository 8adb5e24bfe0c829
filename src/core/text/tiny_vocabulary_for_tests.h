#pragma once

#include <array>
#include <string>

#include "core/text/gguf_tokenizer.h"

namespace toolkit::text {

/// UTF-8 of a code point below 0x800.
inline std::string small_utf8(int code) {
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};
}

/// GPT-2's spelling of bytes: printable Latin-1 as itself, the others from U+0100 on.
inline std::array<std::string, 256> byte_spelling() {
  std::array<std::string, 256> result;
  int next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
    result[static_cast<size_t>(byte)] = small_utf8(printable ? byte : next++);
  }
  return result;
}

/// All bytes, the merges of " the" and "hello", and two control tokens.
inline GgufVocabulary tiny_byte_level_vocabulary() {
  GgufVocabulary vocabulary;
  vocabulary.model = "gpt2";
  vocabulary.pre = "smollm";
  for (const std::string& token : byte_spelling()) vocabulary.tokens.push_back(token);
  const std::string space = "\xC4\xA0";
  for (const auto& [left, right] : {std::pair<std::string, std::string>{"t", "h"},
                                    {"th", "e"},
                                    {space, "the"},
                                    {"h", "e"},
                                    {"l", "l"},
                                    {"he", "ll"},
                                    {"hell", "o"},
                                    {space, "hello"},
                                    {space, space}}) {
    vocabulary.merges.push_back(left + " " + right);
    vocabulary.tokens.push_back(left + right);
  }
  vocabulary.types.assign(vocabulary.tokens.size(), 1);
  for (const char* token : {"<|start|>", "<|end|>"}) {
    vocabulary.tokens.push_back(token);
    vocabulary.types.push_back(3);
  }
  vocabulary.bos = static_cast<int32_t>(vocabulary.tokens.size()) - 2;
  vocabulary.eos = vocabulary.bos + 1;
  return vocabulary;
}

}  // namespace toolkit::text
