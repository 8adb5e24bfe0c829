// What the assistant calls is supervised, with the templates of real families.

#include <doctest/doctest.h>

#include "core/base/atomic_file.h"
#include "core/base/ordered_json.h"
#include "core/base/testing.h"
#include "core/data/chat_rows.h"
#include "core/data/samples.h"

namespace toolkit::data {
namespace {

using std::string;

const OrderedJson& fixture() {
  static const OrderedJson json =
      OrderedJson::parse(read_file(TOOLKIT_FIXTURES "/text/chat_templates.json"));
  return json;
}

// The row as OpenAI writes it: arguments as text.
string openai_row(OrderedJson messages, const OrderedJson& tools) {
  for (OrderedJson& message : messages) {
    if (!message.contains("tool_calls")) continue;
    for (OrderedJson& call : message["tool_calls"])
      call["function"]["arguments"] = call["function"]["arguments"].dump();
  }
  return OrderedJson{{"messages", messages}, {"tools", tools}}.dump() + "\n";
}

}  // namespace

TEST_SUITE("reference") {
  TEST_CASE("tool calls written as OpenAI writes them render as transformers renders them") {
    int cases = 0;
    for (const auto& [name, family] : fixture()["families"].items()) {
      for (const auto& expected : family["cases"]) {
        const auto conversation = expected["conversation"].get<string>();
        const bool with_tools = expected["options"].contains("tools");
        if (!conversation.starts_with("tools") || !with_tools || !expected.contains("text"))
          continue;
        CAPTURE(name);
        CAPTURE(conversation);
        const testing::TestingFolder folder;
        const ReadResult read =
            read_rows(folder.write("a.jsonl", openai_row(fixture()["conversations"][conversation],
                                                         expected["options"]["tools"])));
        INFO("reason: ", read.bad.empty() ? "" : read.bad[0].reason);
        REQUIRE_EQ(read.rows.size(), 1);
        const text::ChatTemplate chat(family["template"], "<s>", "</s>");
        CHECK(chat.render(read.rows[0].messages, {.tools_json = read.rows[0].tools_json}) ==
              expected["text"].get<string>());
        ++cases;
      }
    }
    CHECK(cases > 0);
  }
}

TEST_SUITE("unit") {
  TEST_CASE("tool calls are supervised, what the tool answers is not") {
    const testing::TestingFolder folder;
    const Row row =
        read_rows(
            folder.write(
                "a.jsonl",
                R"({"messages":[{"role":"user","content":"Weather?"},{"role":"assistant","content":null,"tool_calls":[{"id":"call12345","type":"function","function":{"name":"weather","arguments":"{\"city\": \"Oslo\"}"}}]},{"role":"tool","tool_call_id":"call12345","name":"weather","content":"sunny"},{"role":"assistant","content":"It is sunny."}],"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{}}}}]})"
                "\n"))
            .rows.at(0);
    for (const auto& [family, call] :
         {std::pair<string, string>{"qwen2.5",
                                    "<tool_call>\n{\"name\": \"weather\", \"arguments\": "
                                    "{\"city\": \"Oslo\"}}\n</tool_call><|im_end|>"},
          {"qwen3",
           "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": "
           "\"Oslo\"}}\n</tool_call><|im_end|>"},
          {"llama3", "{\"name\": \"weather\", \"parameters\": {\"city\": \"Oslo\"}}<|eot_id|>"}}) {
      CAPTURE(family);
      REQUIRE(fixture()["families"].contains(family));
      const text::ChatTemplate chat(fixture()["families"][family]["template"], "<s>", "</s>");
      const text::RenderedChat rendered =
          chat.render_supervised(row.messages, {.tools_json = row.tools_json});
      REQUIRE_EQ(rendered.assistant.size(), 2);
      const auto said = [&](size_t turn) {
        const auto [begin, end] = rendered.assistant[turn];
        return rendered.text.substr(begin, end - begin);
      };
      CHECK(said(0).ends_with(call));
      CHECK_LE(said(0).size(), call.size() + 24);  // no more than an empty thought before it
      CHECK(testing::contains(said(1), "It is sunny."));
      CHECK_FALSE(testing::contains(said(0) + said(1), "sunny\n"));
    }
  }
}

}  // namespace toolkit::data
