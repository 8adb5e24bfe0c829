// What transformers renders (scripts/reference/chat_templates.py), and what we do.

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/text/chat_template.h"

namespace toolkit::text {
namespace {

using OrderedJson = nlohmann::ordered_json;

const OrderedJson& fixture() {
  static const OrderedJson json =
      OrderedJson::parse(read_file(TOOLKIT_FIXTURES "/text/chat_templates.json"));
  return json;
}

std::vector<Message> messages_of(const OrderedJson& list) {
  std::vector<Message> result;
  for (OrderedJson message : list) {
    Message& made = result.emplace_back();
    made.role = message["role"];
    message.erase("role");
    if (message["content"].is_string()) {
      made.content = message["content"];
      message.erase("content");
    }
    if (!message.empty()) made.extra_json = message.dump();
  }
  return result;
}

RenderOptions options_of(OrderedJson json) {
  RenderOptions options;
  options.add_generation_prompt = json.value("add_generation_prompt", false);
  json.erase("add_generation_prompt");
  if (json.contains("tools")) options.tools_json = json["tools"].dump();
  json.erase("tools");
  if (!json.empty()) options.extra_json = json.dump();
  return options;
}

// Numbers a case can be found by: the rendered text or the refusal must be the reference's.
void check_case(const ChatTemplate& chat, const std::vector<Message>& messages,
                const RenderOptions& options, const OrderedJson& expected) {
  if (expected.contains("error")) {
    CAPTURE(expected["error"].get<std::string>());
    CHECK_THROWS_AS(chat.render(messages, options), Error);
    return;
  }
  std::string text;
  try {
    text = chat.render(messages, options);
  } catch (const Error& error) {
    text = std::string("error: ") + error.what();
  }
  CHECK(text == expected["text"].get<std::string>());
  if (!expected.contains("assistant")) return;
  const RenderedChat marked = chat.render_supervised(messages, options);
  CHECK(marked.text == text);
  CHECK(OrderedJson(marked.assistant) == expected["assistant"]);
}

TEST_SUITE("reference") {
  TEST_CASE("chat templates of every family render as transformers renders them") {
    int cases = 0;
    for (const auto& [name, family] : fixture()["families"].items()) {
      CAPTURE(name);
      const ChatTemplate chat(family["template"], "<s>", "</s>");
      for (const auto& expected : family["cases"]) {
        CAPTURE(expected["conversation"].get<std::string>());
        CAPTURE(expected["options"].dump());
        const auto& conversation =
            fixture()["conversations"][expected["conversation"].get<std::string>()];
        check_case(chat, messages_of(conversation), options_of(expected["options"]), expected);
        ++cases;
      }
    }
    CHECK(cases > 400);
  }

  TEST_CASE("Jinja features print what Python's Jinja prints") {
    const RenderOptions options{.extra_json = OrderedJson{{"v", fixture()["values"]}}.dump()};
    for (const auto& snippet : fixture()["snippets"]) {
      CAPTURE(snippet["template"].get<std::string>());
      std::optional<ChatTemplate> chat;
      try {
        chat.emplace(snippet["template"], "<s>", "</s>");
      } catch (const Error& error) {
        CAPTURE(error.what());
        CHECK(snippet.contains("error"));
        continue;
      }
      check_case(*chat, {}, options, snippet);
    }
  }
}

}  // namespace
}  // namespace toolkit::text
