#include "core/text/tokenizer.h"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <thread>

#include "core/base/error.h"
#include "core/text/gguf_tokenizer.h"
#include "core/text/tiny_vocabulary_for_tests.h"

namespace toolkit::text {
namespace {

std::shared_ptr<const Tokenizer> tiny() {
  return Tokenizer::from_json(tokenizer_json_from_gguf(tiny_byte_level_vocabulary()), "tiny");
}

std::string all_text(StreamDecoder& decoder, const std::vector<int32_t>& ids) {
  std::string text;
  for (const int32_t id : ids) text += decoder.push(id);
  return text + decoder.finish();
}

TEST_SUITE("unit") {
  TEST_CASE("ids, offsets and decoding belong together") {
    const auto tokenizer = tiny();
    const std::string text = "the the\n hello";
    const Encoding encoding = tokenizer->encode(text, false);
    REQUIRE(encoding.ids.size() == encoding.offsets.size());
    CHECK(tokenizer->decode(encoding.ids, false) == text);
    std::string joined;
    for (const auto& [begin, end] : encoding.offsets) joined += text.substr(begin, end - begin);
    CHECK(joined == text);  // leading spaces belong to their token
  }

  TEST_CASE("special tokens in the text are recognised") {
    const auto tokenizer = tiny();
    const auto end = tokenizer->id_of("<|end|>");
    REQUIRE(end);
    const Encoding encoding = tokenizer->encode("a<|end|>b", false);
    REQUIRE(encoding.ids.size() == 3);
    CHECK(encoding.ids[1] == *end);
    CHECK(tokenizer->decode(encoding.ids, true) == "ab");
    CHECK(tokenizer->decode(encoding.ids, false) == "a<|end|>b");
    CHECK(tokenizer->token_of(*end) == "<|end|>");
    CHECK_FALSE(tokenizer->token_of(1 << 20));
    CHECK_FALSE(tokenizer->token_of(-1));
    CHECK_FALSE(tokenizer->id_of("no such token"));
  }

  TEST_CASE("empty text, NUL bytes and a long text") {
    const auto tokenizer = tiny();
    CHECK(tokenizer->encode("", false).ids.empty());
    CHECK(tokenizer->decode({}, false).empty());
    const std::string with_nul("a\0b", 3);
    CHECK(tokenizer->decode(tokenizer->encode(with_nul, false).ids, false) == with_nul);
    std::string long_text;
    while (long_text.size() < (4u << 20)) long_text += "the quick brown fox \xF0\x9F\xA6\x8A ";
    CHECK(tokenizer->decode(tokenizer->encode(long_text, false).ids, false) == long_text);
  }

  TEST_CASE("what is not UTF-8 is refused with the place") {
    CHECK_THROWS_WITH_AS(tiny()->encode("ab\xFFz", false),
                         "cannot tokenize: text is not UTF-8: byte 2 is 0xff", Error);
    CHECK_THROWS_AS(tiny()->encode("\xF0\x9F", false), Error);
  }

  TEST_CASE("a negative id is refused, an unknown one decodes to nothing") {
    CHECK_THROWS_AS(tiny()->decode({-1}, false), Error);
    CHECK(tiny()->decode({1 << 30}, false).empty());
  }

  TEST_CASE("bad tokenizer files are errors, never crashes") {
    const std::string good = tokenizer_json_from_gguf(tiny_byte_level_vocabulary());
    for (
        const std::string& json :
        {std::string(), std::string("{"), std::string("[]"), std::string("null"),
         std::string("\xFF"), std::string(100'000, '['),
         std::string(R"({"version":"1.0","model":{"type":"Nope"}})"),
         std::string(R"({"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}})"),
         std::string(R"({"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}})"),
         std::string(R"({"model":{"type":"BPE","vocab":{"a":4294967296},"merges":[]}})"),
         std::string(R"({"model":{"type":"WordLevel","vocab":{}}})"),
         std::string(
             R"({"pre_tokenizer":{"type":"Split","pattern":{"Regex":"("},)"
             R"("behavior":"Isolated","invert":false},"model":{"type":"BPE","vocab":{},"merges":[]}})"),
         good.substr(0, good.size() / 2)}) {
      CAPTURE(json.substr(0, 80));
      CHECK_THROWS_AS(Tokenizer::from_json(json, "bad.json"), Error);
    }
    CHECK_THROWS_AS(Tokenizer::from_file("/no/such/tokenizer.json"), Error);
  }

  TEST_CASE(
      "a file that makes the crate panic is a bad file, and the message shows no source path") {
    try {
      Tokenizer::from_json(R"({"version": "1.0", "decoder": )", "torn.json");
      FAIL("no error");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kUserInput);
      CHECK(std::string(error.what()).starts_with("torn.json: "));
      CHECK(std::string(error.what()).find("panicked") == std::string::npos);
      CHECK(std::string(error.what()).find(".rs:") == std::string::npos);
    }
  }

  TEST_CASE(
      "a character map that states more than it holds is refused before memory is asked for") {
    const std::string json =
        R"({"version": "1.0", "normalizer": {"type": "Precompiled",
            "precompiled_charsmap": "////fwAA"}, "model": {"type": "BPE", "vocab": {}, "merges": []}})";
    try {
      Tokenizer::from_json(json, "tokenizer.json");
      FAIL("expected an error");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kUserInput);
      CHECK(std::string(error.what()).find("states a trie of 2147483647 bytes") !=
            std::string::npos);
    }
  }

  TEST_CASE("padding and truncation of the file are switched off") {
    std::string json = tokenizer_json_from_gguf(tiny_byte_level_vocabulary());
    const std::string limits =
        R"("truncation":{"direction":"Right","max_length":2,"strategy":"LongestFirst","stride":0},)"
        R"("padding":{"strategy":{"Fixed":9},"direction":"Right","pad_to_multiple_of":null,)"
        R"("pad_id":0,"pad_type_id":0,"pad_token":"x"})";
    const std::string none = R"("truncation":null,"padding":null)";
    const size_t at = json.find(none);
    REQUIRE(at != std::string::npos);
    json.replace(at, none.size(), limits);
    CHECK(Tokenizer::from_json(json, "limits")->encode("a b c d", false).ids ==
          tiny()->encode("a b c d", false).ids);
  }

  TEST_CASE("streamed text equals decoded text and never holds half a character") {
    const auto tokenizer = tiny();
    const std::string text =
        "hello \xF0\x9F\xA6\x8A\xE2\x9C\x8A the \xE4\xBD\xA0\xE5\xA5\xBD\n  end";
    const auto ids = tokenizer->encode(text, false).ids;
    StreamDecoder decoder(tokenizer);
    std::string shown;
    for (const int32_t id : ids) {
      const std::string piece = decoder.push(id);
      CHECK(piece.find("\xEF\xBF\xBD") == std::string::npos);
      shown += piece;
      CHECK(text.starts_with(shown));
    }
    CHECK(shown + decoder.finish() == text);
  }

  TEST_CASE("a stream that stops inside a character shows the replacement character at the end") {
    const auto tokenizer = tiny();
    auto ids = tokenizer->encode("ok \xF0\x9F\xA6\x8A", false).ids;
    ids.pop_back();
    StreamDecoder decoder(tokenizer);
    const std::string text = all_text(decoder, ids);
    CHECK(text.starts_with("ok "));
    CHECK(text.ends_with("\xEF\xBF\xBD"));
  }

  TEST_CASE("a stream of garbage bytes and special tokens keeps flowing") {
    const auto tokenizer = tiny();
    const auto bytes = tokenizer->encode("\xF0\x9F\xA6\x8A", false).ids;  // one token per byte
    REQUIRE(bytes.size() == 4);
    StreamDecoder decoder(tokenizer);
    std::string text;
    for (int i = 0; i < 100; ++i) text += decoder.push(bytes[0]);
    CHECK(text.size() > 100);  // not held back for ever
    for (int i = 0; i < 1000; ++i) CHECK(decoder.push(*tokenizer->id_of("<|end|>")).empty());
    text = "";
    for (const int32_t id : tokenizer->encode(" hello hello", false).ids) text += decoder.push(id);
    CHECK(text.find("hello") != std::string::npos);
  }

  TEST_CASE("one tokenizer serves several threads") {
    const auto tokenizer = tiny();
    const std::string text = "the quick brown fox, the \xE4\xBD\xA0\xE5\xA5\xBD <|end|> 123";
    const auto expected = tokenizer->encode(text, false).ids;
    std::vector<int> wrong(4);
    std::vector<std::thread> threads;
    for (int& count : wrong) {
      threads.emplace_back([&] {
        for (int i = 0; i < 200; ++i) {
          const auto ids = tokenizer->encode(text, false).ids;
          count += ids != expected || tokenizer->decode(ids, false) != text;
        }
      });
    }
    for (auto& thread : threads) thread.join();
    CHECK(wrong == std::vector<int>(4, 0));
  }
}

}  // namespace
}  // namespace toolkit::text
