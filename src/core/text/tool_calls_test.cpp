#include "core/text/tool_calls.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/text/gguf_tokenizer.h"
#include "core/text/grammar.h"
#include "core/text/reply_parser.h"
#include "core/text/tiny_vocabulary_for_tests.h"

namespace toolkit::text {
namespace {

using nlohmann::json;

const std::vector<Tool> kTools = {
    {"weather", "", R"({"type": "object", "properties": {"where": {"$ref": "#/$defs/place"}},
      "required": ["where"], "additionalProperties": false, "$defs": {"place": {"enum": ["Oslo",
      "Rome"]}}})"},
    {"now", "", ""}};

constexpr const char* kToolsJson =
    R"([{"type": "function", "function": {"name": "weather", "parameters": {}}}])";

std::shared_ptr<const Tokenizer> tokenizer_with(const std::vector<std::string>& special) {
  GgufVocabulary vocabulary = tiny_byte_level_vocabulary();
  for (const std::string& token : special) {
    vocabulary.tokens.push_back(token);
    vocabulary.types.push_back(3);
  }
  return Tokenizer::from_json(tokenizer_json_from_gguf(vocabulary), "tiny");
}

bool matches(const Grammars& grammars, const std::string& grammar, const std::string& text) {
  const auto constraint = grammars.lark(grammar);
  const Tokenizer& tokenizer = grammars.tokenizer();
  std::vector<uint32_t> bits(static_cast<size_t>(tokenizer.vocabulary_size() + 31) / 32);
  const auto allowed = [&](int32_t id) {
    constraint->allowed(bits);
    return (bits[static_cast<size_t>(id) / 32] >> (id % 32) & 1) != 0;
  };
  for (const int32_t id : tokenizer.encode(text, false).ids) {
    if (!allowed(id)) return false;
    constraint->accept(id);
  }
  return allowed(*tokenizer.id_of("<|end|>"));
}

TEST_SUITE("unit") {
  TEST_CASE("the form is told from the template") {
    CHECK(tool_call_form("...'<tool_call>\\n{\"name\": '...") == ToolCallForm::kTagged);
    CHECK(tool_call_form("{{ '[TOOL_CALLS]' }}") == ToolCallForm::kMistral);
    CHECK(tool_call_form("'{\"name\": function name, \"parameters\": ...}'") ==
          ToolCallForm::kBareJson);
    CHECK(tool_call_form(kChatMlTemplate) == ToolCallForm::kTagged);
    CHECK(template_takes_tools("{% if tools %}"));
    CHECK(template_takes_tools("{{ tools | tojson }}"));
    CHECK_FALSE(template_takes_tools(kChatMlTemplate));
    CHECK_FALSE(template_takes_tools("message.tool_calls custom_tools_x"));
  }

  TEST_CASE("a template without tools gets them in its messages") {
    const std::vector<Message> messages = {
        {"system", "Be brief.", ""},
        {"user", "Weather?", ""},
        {"assistant", "", R"({"tool_calls": [{"id": "a", "type": "function", "function":
          {"name": "weather", "arguments": "{\"where\": \"Oslo\"}"}}]})"},
        {"tool", "4 degrees", R"({"tool_call_id": "a"})"},
        {"tool", "rain", R"({"tool_call_id": "b"})"}};
    const auto written = with_tools_in_text(messages, kToolsJson);
    REQUIRE(written.size() == 4);
    CHECK(written[0].role == "system");
    CHECK(written[0].content.starts_with("Be brief.\n\nYou may call"));
    CHECK(written[0].content.find("<tools>\n{\"type\":\"function\"") != std::string::npos);
    CHECK(written[1] == messages[1]);
    CHECK(written[2] == Message{"assistant",
                                "<tool_call>\n{\"name\":\"weather\",\"arguments\":{\"where\":"
                                "\"Oslo\"}}\n</tool_call>",
                                ""});
    CHECK(written[3] == Message{"user",
                                "<tool_response>\n4 degrees\n</tool_response>\n<tool_response>\n"
                                "rain\n</tool_response>",
                                ""});
    CHECK(with_tools_in_text({{"user", "hi", ""}}, kToolsJson).size() == 2);
    CHECK(with_tools_in_text({{"user", "hi", ""}}, "").size() == 1);
    CHECK_THROWS_AS(with_tools_in_text({}, "{"), Error);
  }

  TEST_CASE("the grammar makes one call of an offered function with arguments by its schema") {
    const auto tokenizer = tokenizer_with({});
    const Grammars grammars(tokenizer, std::vector<int32_t>{*tokenizer->id_of("<|end|>")});
    const auto fits = [&](ToolCallGrammar options, const std::string& text) {
      return matches(grammars, tool_call_grammar(kTools, options, *tokenizer), text);
    };
    const std::string call = "{\"name\": \"weather\", \"arguments\": {\"where\": \"Rome\"}}";
    const std::string tagged = "<tool_call>\n" + call + "\n</tool_call>";
    CHECK(fits({}, tagged));
    CHECK(fits({}, "<tool_call>\n{\"name\": \"now\", \"arguments\": {\"any\": 1}}\n</tool_call>"));
    CHECK_FALSE(fits({}, "<tool_call>\n{\"name\": \"weather\", \"arguments\": {}}\n</tool_call>"));
    CHECK_FALSE(
        fits({}, "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"where\": \"Bonn\"}}"));
    CHECK_FALSE(fits({}, "<tool_call>\n{\"name\": \"other\", \"arguments\": {}}"));
    CHECK_FALSE(fits({}, "The weather"));
    CHECK_FALSE(fits({}, tagged + "\n" + tagged));
    CHECK(fits({.several = true}, tagged + "\n" + tagged));
    CHECK(fits({.form = ToolCallForm::kBareJson},
               "{\"name\": \"weather\", \"parameters\": {\"where\": \"Rome\"}}"));
    CHECK(fits({.form = ToolCallForm::kMistral, .several = true},
               "[TOOL_CALLS][" + call + ", " + call + "]"));
    CHECK(fits({.in_reasoning = true}, "I </b> think\n</think>\n\n" + tagged));
    CHECK_FALSE(fits({.in_reasoning = true}, tagged));
    CHECK_THROWS_AS(tool_call_grammar({}, {}, *tokenizer), Error);
    const std::vector<Tool> broken = {{"x", "", "{"}};
    CHECK_THROWS_WITH_AS(tool_call_grammar(broken, {}, *tokenizer), doctest::Contains("'x'"),
                         Error);
  }

  TEST_CASE("marks that are special tokens are those tokens") {
    const auto tokenizer = tokenizer_with({"[TOOL_CALLS]", "</think>"});
    const Grammars grammars(tokenizer, std::vector<int32_t>{*tokenizer->id_of("<|end|>")});
    const std::string grammar = tool_call_grammar(
        kTools, {.form = ToolCallForm::kMistral, .in_reasoning = true}, *tokenizer);
    CHECK(matches(grammars, grammar,
                  "hm</think>\n\n[TOOL_CALLS][{\"name\": \"now\", \"arguments\": {}}]"));
  }
}

}  // namespace
}  // namespace toolkit::text
