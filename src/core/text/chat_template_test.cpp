#include "core/text/chat_template.h"

#include <doctest/doctest.h>

#include <ctime>
#include <thread>

#include "core/base/error.h"

namespace toolkit::text {
namespace {

std::string render(const char* source, const std::vector<Message>& messages = {},
                   const RenderOptions& options = {}) {
  return ChatTemplate(source, "<s>", "</s>").render(messages, options);
}

TEST_SUITE("unit") {
  TEST_CASE("ChatML, with and without the generation prompt") {
    const std::vector<Message> messages = {{"user", "hi"}, {"assistant", "hello"}};
    CHECK(render(kChatMlTemplate, messages) ==
          "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nhello<|im_end|>\n");
    CHECK(render(kChatMlTemplate, {{"user", "hi"}}, {.add_generation_prompt = true}) ==
          "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
  }

  TEST_CASE("special tokens, tools and further variables reach the template") {
    CHECK(render("{{ bos_token }}|{{ eos_token }}|{{ tools is none }}|{{ x }}|{{ y is defined }}",
                 {}, {.extra_json = R"({"x": [1, 2.0, true, null, "a'b"]})"}) ==
          "<s>|</s>|True|[1, 2.0, True, None, \"a'b\"]|False");
    CHECK(render("{% for t in tools %}{{ t.name }}{% endfor %}", {},
                 {.tools_json = R"([{"name": "f"}, {"name": "g"}])"}) == "fg");
    CHECK(render("{{ messages[0].tool_calls[0].function.arguments | tojson }}",
                 {{"assistant", "",
                   R"({"tool_calls": [{"function": {"arguments": {"b": 1, "a": "é"}}}]})"}}) ==
          "{\"b\": 1, \"a\": \"é\"}");
    CHECK(ChatTemplate("{{ bos_token is defined }}", "", "").render({}) == "False");
  }

  TEST_CASE("reasoning is known under each of its names") {
    for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
      CHECK(render("{{ messages[0].reasoning_content }}",
                   {{"assistant", "x", std::string("{\"") + name + "\": \"because\"}"}}) ==
            "because");
    }
  }

  TEST_CASE("JSON as Python writes it") {
    const RenderOptions options{
        .extra_json =
            R"({"v": {"b": [1, 1.5, 1e20, 0.00001, -0.0], "a": "ü\u0001\"<&", "e": [], "n": {}}})"};
    CHECK(render("{{ v | tojson }}", {}, options) ==
          R"({"b": [1, 1.5, 1e+20, 1e-05, -0.0], "a": "ü\u0001\"<&", "e": [], "n": {}})");
    CHECK(render("{{ v.a | tojson(ensure_ascii=true) }}", {}, options) == R"("\u00fc\u0001\"<&")");
    CHECK(render("{{ {'b': 1, 'a': [1, 2]} | tojson(indent=2, sort_keys=true) }}") ==
          "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": 1\n}");
    CHECK(render("{{ [1, {'a': 2}] | tojson(separators=(',', ':')) }}") == "[1,{\"a\":2}]");
    CHECK_THROWS_AS(render("{{ missing | tojson }}"), Error);
  }

  TEST_CASE("the date comes from the clock") {
    const std::string year = render("{{ strftime_now('%Y') }}");
    const std::time_t now = std::time(nullptr);
    CHECK(std::abs(std::stoi(year) - (1900 + std::localtime(&now)->tm_year)) <= 1);
    CHECK(render("{{ strftime_now('') }}").empty());
  }

  TEST_CASE("a template's own complaint and its mistakes name the line") {
    CHECK_THROWS_WITH_AS(render("a\n{{ raise_exception('only user and assistant') }}"),
                         "chat template: line 2: the template says: only user and assistant",
                         Error);
    CHECK_THROWS_WITH_AS(render("\n\n{% if %}"), doctest::Contains("chat template: line 3: "),
                         Error);
    CHECK_THROWS_WITH_AS(render("{{ messages.x.y }}"), doctest::Contains("line 1"), Error);
    CHECK_THROWS_WITH_AS(render("x\n{% generation %}"),
                         doctest::Contains("line 2: generation block is not closed"), Error);
    CHECK_THROWS_AS(render("{% endgeneration %}"), Error);
    CHECK_THROWS_AS(
        render("{% generation %}{% generation %}{% endgeneration %}{% endgeneration %}"), Error);
    CHECK_THROWS_AS(render("{% include 'other' %}"), Error);
  }

  TEST_CASE("endless and huge templates stop") {
    const char* loops =
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}";
    CHECK_THROWS_WITH_AS(render(loops), doctest::Contains("too many steps"), Error);
    CHECK_THROWS_WITH_AS(render("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"),
                         doctest::Contains("recursion"), Error);
    const std::string kilobyte(1000, 'x');
    const std::string writes = "{% for a in range(100000) %}" + kilobyte + "{% endfor %}";
    CHECK_THROWS_WITH_AS(render(writes.c_str()), doctest::Contains("writes more than"), Error);
    const std::string ten_megabytes = "{% for a in range(10000) %}" + kilobyte + "{% endfor %}";
    CHECK(render(ten_megabytes.c_str()).size() == 10'000'000);
    // A value nested as deep as the steps allow is dropped without running out of stack.
    CHECK_THROWS_AS(
        render("{% set ns = namespace(x=[]) %}{% for a in range(100000) %}{% for b in range(100) %}"
               "{% set ns.x = [ns.x] %}{% endfor %}{% endfor %}"),
        Error);
    CHECK_THROWS_AS(render((std::string(100'000, '(')).insert(0, "{{ ").c_str()), Error);
  }

  TEST_CASE("odd messages: NUL, what is not UTF-8, wrong JSON beside them") {
    CHECK(render("{{ messages[0].content }}", {{"user", std::string("a\0b", 3)}}) ==
          std::string("a\0b", 3));
    CHECK_THROWS_WITH_AS(render(kChatMlTemplate, {{"user", "a\xFF"}}),
                         doctest::Contains("not UTF-8"), Error);
    CHECK_THROWS_WITH_AS(render(kChatMlTemplate, {{"user", "a"}, {"user", "b", "[1]"}}),
                         doctest::Contains("message 2: expected a JSON object"), Error);
    CHECK_THROWS_AS(render(kChatMlTemplate, {}, {.tools_json = "{}"}), Error);
    CHECK_THROWS_AS(render(kChatMlTemplate, {}, {.extra_json = "{"}), Error);
    CHECK_THROWS_AS(ChatTemplate("\xFF", "", ""), Error);
    CHECK(render("").empty());
  }

  TEST_CASE("one template serves several threads - it can be moved") {
    ChatTemplate first(kChatMlTemplate, "", "");
    const ChatTemplate chat = std::move(first);
    const std::vector<Message> messages = {{"user", "hi"}, {"assistant", "hello"}};
    const std::string expected = chat.render(messages);
    std::vector<int> wrong(4);
    std::vector<std::thread> threads;
    for (int& count : wrong) {
      threads.emplace_back([&] {
        for (int i = 0; i < 50; ++i) count += chat.render(messages) != expected;
      });
    }
    for (auto& thread : threads) thread.join();
    CHECK(wrong == std::vector<int>(4, 0));
  }
}

}  // namespace
}  // namespace toolkit::text
