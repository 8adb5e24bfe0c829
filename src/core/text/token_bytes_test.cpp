#include <doctest/doctest.h>

#include "core/text/gguf_tokenizer.h"
#include "core/text/tiny_vocabulary_for_tests.h"
#include "core/text/tokenizer.h"

namespace toolkit::text {

TEST_SUITE("unit") {
  TEST_CASE("tokens of a byte-level vocabulary are their bytes") {
    const auto tokenizer =
        Tokenizer::from_json(tokenizer_json_from_gguf(tiny_byte_level_vocabulary()), "test");
    const auto spelling = byte_spelling();
    for (int byte = 0; byte < 256; ++byte)
      CHECK(tokenizer->token_bytes(*tokenizer->id_of(spelling[static_cast<size_t>(byte)])) ==
            std::string(1, static_cast<char>(byte)));
    CHECK(tokenizer->token_bytes(*tokenizer->id_of("\xC4\xA0hello")) == " hello");
    CHECK(tokenizer->token_bytes(*tokenizer->id_of("<|end|>")) == "<|end|>");
    CHECK(tokenizer->token_bytes(100000) == "");
    CHECK(tokenizer->token_bytes(-1) == "");
    CHECK(tokenizer->is_special(*tokenizer->id_of("<|end|>")));
    CHECK_FALSE(tokenizer->is_special(0));
  }

  TEST_CASE("tokens of SentencePiece are their bytes") {
    const auto tokenizer = Tokenizer::from_json(
        R"({"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "byte_fallback": true,
            "vocab": {"<0x0A>": 0, "\u2581the": 1, "a": 2, "\u00e9": 3}, "merges": []},
            "decoder": {"type": "Sequence", "decoders": [{"type": "Replace",
              "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}]}})",
        "test");
    CHECK(tokenizer->token_bytes(0) == "\n");
    CHECK(tokenizer->token_bytes(1) == " the");
    CHECK(tokenizer->token_bytes(3) == "\xC3\xA9");
  }
}

}  // namespace toolkit::text
