#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace toolkit::text {

/// What a GGUF file says of its tokenizer (keys tokenizer.ggml.*).
struct GgufVocabulary {
  std::string model;  // "gpt2" (byte-level BPE), "llama" (SentencePiece), ...
  std::string pre;    // "smollm", "llama-bpe", "qwen2", ...
  std::vector<std::string> tokens;
  std::vector<int32_t> types;  // 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte
  std::vector<float> scores;
  std::vector<std::string> merges;
  int32_t bos = -1, eos = -1, unknown = -1, padding = -1;
  bool add_bos = false, add_eos = false, add_space_prefix = true;
};

/// The same tokenizer as a tokenizer.json: equal ids to Hugging Face's own on any text. Throws
/// Error(kUnsupported) naming the model or pre-tokenizer it does not know.
std::string tokenizer_json_from_gguf(const GgufVocabulary& vocabulary);

}  // namespace toolkit::text
