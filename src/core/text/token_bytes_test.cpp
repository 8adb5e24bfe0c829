#include "core/text/token_bytes.h"

#include <doctest/doctest.h>

#include "core/text/gguf_tokenizer.h"
#include "core/text/tiny_vocabulary_for_tests.h"

namespace toolkit::text {

TEST_SUITE("unit") {
  TEST_CASE("tokens of a byte-level vocabulary are their bytes") {
    const auto tokenizer =
        Tokenizer::from_json(tokenizer_json_from_gguf(tiny_byte_level_vocabulary()), "test");
    const auto spelling = byte_spelling();
    for (int byte = 0; byte < 256; ++byte)
      CHECK(token_bytes(*tokenizer, *tokenizer->id_of(spelling[static_cast<size_t>(byte)])) ==
            std::string(1, static_cast<char>(byte)));
    CHECK(token_bytes(*tokenizer, *tokenizer->id_of("\xC4\xA0hello")) == " hello");
    CHECK(token_bytes(*tokenizer, *tokenizer->id_of("<|end|>")) == "<|end|>");
    CHECK(token_bytes(*tokenizer, 100000) == "");
  }

  TEST_CASE("tokens of SentencePiece are their bytes") {
    const auto tokenizer = Tokenizer::from_json(
        R"({"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "byte_fallback": true,
            "vocab": {"<0x0A>": 0, "\u2581the": 1, "a": 2, "\u00e9": 3}, "merges": []}})",
        "test");
    CHECK(token_bytes(*tokenizer, 0) == "\n");
    CHECK(token_bytes(*tokenizer, 1) == " the");
    CHECK(token_bytes(*tokenizer, 3) == "\xC3\xA9");
  }
}

}  // namespace toolkit::text
