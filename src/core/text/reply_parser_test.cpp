#include "core/text/reply_parser.h"

#include <doctest/doctest.h>

#include <map>

namespace toolkit::text {
namespace {

struct Reply {
  std::string content, reasoning;
  std::vector<std::pair<std::string, std::string>> calls;

  bool operator==(const Reply&) const = default;
};

void add(Reply& reply, const ReplyDelta& delta) {
  reply.content += delta.content;
  reply.reasoning += delta.reasoning;
  for (const ToolCallDelta& call : delta.tool_calls) {
    const auto index = static_cast<size_t>(call.index);
    REQUIRE(index <= reply.calls.size());
    if (index == reply.calls.size()) {
      CHECK_FALSE(call.name.empty());
      reply.calls.emplace_back(call.name, "");
    } else {
      CHECK(call.name.empty());  // once
    }
    reply.calls[index].second += call.arguments;
  }
}

const std::vector<Tool> kTools = {
    {"weather", "", R"({"type": "object", "properties": {"city": {"type": "string"}}})"},
    {"add", "", R"({"type": "object", "properties": {"a": {"type": "integer"}}})"}};

/// The reply is the same however the text is cut.
Reply parsed(const std::string& text, const ReplyOptions& options = {.tools = kTools}) {
  std::optional<Reply> first;
  for (const size_t piece : {text.size() + 1, size_t{1}, size_t{3}, size_t{7}}) {
    ReplyParser parser(options);
    Reply reply;
    for (size_t at = 0; at < text.size(); at += piece)
      add(reply, parser.push(text.substr(at, piece)));
    add(reply, parser.finish());
    CHECK(parser.call_count() == static_cast<int>(reply.calls.size()));
    if (!first) first = reply;
    CAPTURE(piece);
    CAPTURE(text);
    CHECK(reply.content == first->content);
    CHECK(reply.reasoning == first->reasoning);
    CHECK(reply.calls == first->calls);
  }
  return *first;
}

using Calls = std::vector<std::pair<std::string, std::string>>;

const Calls kOslo = {{"weather", R"({"city": "Oslo"})"}};

TEST_SUITE("unit") {
  TEST_CASE("calls in the forms of Hermes and Qwen and Llama and Mistral") {
    for (const char* text :
         {"<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}\n</tool_call>",
          "<tool_call>{\"name\":\"weather\",\"arguments\":{\"city\": \"Oslo\"}}",
          "<tool_call>[{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}]</tool_call>\n",
          "{\"name\": \"weather\", \"parameters\": {\"city\": \"Oslo\"}}",
          "<|python_tag|>{\"name\": \"weather\", \"parameters\": {\"city\": \"Oslo\"}}",
          "\n [TOOL_CALLS] [{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}, \"id\": "
          "\"a}\"}]",
          "[{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}]"}) {
      const Reply reply = parsed(text);
      CAPTURE(text);
      CHECK(reply.calls == kOslo);
      CHECK(reply.content.find_first_not_of(" \n") == std::string::npos);
    }
  }

  TEST_CASE("several calls and content around them") {
    const Calls both = {{"weather", "{}"}, {"add", "{\"a\": 1}"}};
    const std::string first = "{\"name\": \"weather\", \"arguments\": {}}",
                      second = "{\"name\": \"add\", \"arguments\": {\"a\": 1}}";
    const Reply tagged = parsed("Let me see.\n\n<tool_call>" + first + "</tool_call>\n<tool_call>" +
                                second + "</tool_call>\n");
    CHECK(tagged.calls == both);
    CHECK(tagged.content == "Let me see.");
    CHECK(parsed("[TOOL_CALLS][" + first + ", " + second + "]").calls == both);
    CHECK(parsed(first + "; " + second).calls == both);
    CHECK(parsed("<tool_call>\n" + first + "\n" + second + "\n</tool_call>").calls == both);
    const Reply after = parsed("<tool_call>" + first + "</tool_call>\nThat is all. \n");
    CHECK(after.calls.size() == 1);
    CHECK(after.content == "\nThat is all. \n");
  }

  TEST_CASE("members in another order and arguments as text or none") {
    CHECK(parsed(R"({"arguments": {"city": "Oslo"}, "name": "weather"})").calls ==
          Calls{{"weather", R"({"city":"Oslo"})"}});
    CHECK(
        parsed(R"(<tool_call>{"name": "weather", "arguments": "{\"city\": \"Oslo\"}"}</tool_call>)")
            .calls == Calls{{"weather", R"({"city":"Oslo"})"}});
    CHECK(parsed(R"(<tool_call>{"name": "weather"}</tool_call>)").calls ==
          Calls{{"weather", "{}"}});
  }

  TEST_CASE("Qwen3-Coder's tags") {
    const Reply reply = parsed(
        "I look.\n<tool_call>\n<function=weather>\n<parameter=city>\n12\n</parameter>\n"
        "<parameter=days>\n[1, 2]\n</parameter>\n</function>\n</tool_call>");
    CHECK(reply.calls == Calls{{"weather", R"({"city":"12","days":[1,2]})"}});
    CHECK(reply.content == "I look.");
    CHECK(parsed("<tool_call><function=other></function></tool_call>").content ==
          "<tool_call><function=other></function></tool_call>");
  }

  TEST_CASE("what only looks like a call stays content") {
    for (const char* text :
         {"plain text, a < b and {\"x\": 1}", "{\"answer\": 42}", "[1, 2, 3]",
          "{\"name\": \"Anna\"}", "{\"name\": \"unknown\", \"arguments\": {\"a\": 1}}",
          "<tool_call>no JSON</tool_call>",
          "<tool_call>{\"name\": \"unknown\", \"arguments\": {}}</tool_call> x",
          "{\"name\": \"weather", "<tool_call>", "<tool", "[TOOL_CALLS", "[TOOL_CALLS] nothing",
          "{broken", "", "  ", "{\"name\": \"weather\", \"arguments\": [1]}", "see <think> here"}) {
      const Reply reply = parsed(text);
      CHECK(reply.content == text);
      CHECK(reply.calls.empty());
      CHECK(reply.reasoning.empty());
    }
    const std::string call = R"({"name": "weather", "arguments": {}})";
    CHECK(parsed(call, {}).content == call);  // nothing was offered
    CHECK(parsed("<tool_call>" + call + "</tool_call>", {}).content ==
          "<tool_call>" + call + "</tool_call>");
  }

  TEST_CASE("arguments that stop being JSON end there") {
    const Reply reply =
        parsed(R"(<tool_call>{"name": "weather", "arguments": {"city": oops}}</tool_call>)");
    CHECK(reply.calls == Calls{{"weather", R"({"city": )"}});
    CHECK(reply.content == "oops}}</tool_call>");
    CHECK(parsed(R"(<tool_call>{"name": "weather", "arguments": {"city": "Os)").calls ==
          Calls{{"weather", R"({"city": "Os)"}});
  }

  TEST_CASE("arguments come as they are written") {
    ReplyParser parser({.tools = kTools});
    CHECK(parser.push("<tool_call>{\"name\": \"weather\", \"arguments\": ").empty());
    const ReplyDelta named = parser.push("{\"city\"");
    REQUIRE(named.tool_calls.size() == 1);
    CHECK(named.tool_calls[0].name == "weather");
    CHECK(named.tool_calls[0].arguments == "{\"city\"");
    const ReplyDelta more = parser.push(": \"Oslo\"}");
    REQUIRE(more.tool_calls.size() == 1);
    CHECK(more.tool_calls[0].name.empty());
    CHECK(more.tool_calls[0].arguments == ": \"Oslo\"}");
  }

  TEST_CASE("reasoning is told apart") {
    const Reply reply = parsed("<think>\nHm, 1 < 2.\n\n</think>\n\nYes <b>.");
    CHECK(reply.reasoning == "Hm, 1 < 2.");
    CHECK(reply.content == "Yes <b>.");
    const Reply open = parsed("Hm.\n</think>\n\nYes.", {.in_reasoning = true});
    CHECK(open.reasoning == "Hm.");
    CHECK(open.content == "Yes.");
    CHECK(parsed("<think>\n\n</think>\n\nYes.").content == "Yes.");
    CHECK(parsed("<think>no end \n").reasoning == "no end");
    CHECK(parsed("<think>no end").content.empty());
    CHECK(parsed("<think>x</think>y", {.reasoning = false}).content == "<think>x</think>y");
    const Reply with_call = parsed(
        "<think>I call <tool_call>.</think>\n<tool_call>{\"name\": \"weather\", \"arguments\": "
        "{\"city\": \"Oslo\"}}</tool_call>");
    CHECK(with_call.reasoning == "I call <tool_call>.");
    CHECK(with_call.calls == kOslo);
    CHECK(with_call.content.empty());
  }
}

}  // namespace
}  // namespace toolkit::text
