#include "core/text/assistant_ranges.h"

#include <doctest/doctest.h>

#include "core/base/error.h"

namespace toolkit::text {
namespace {

std::vector<std::string> said(const RenderedChat& chat) {
  std::vector<std::string> result;
  for (const auto& [begin, end] : chat.assistant) {
    result.push_back(chat.text.substr(begin, end - begin));
  }
  return result;
}

std::vector<std::string> said_with(const char* source, const std::vector<Message>& messages,
                                   const RenderOptions& options = {}) {
  return said(ChatTemplate(source, "<s>", "</s>").render_supervised(messages, options));
}

using Texts = std::vector<std::string>;

const std::vector<Message> kTwoTurns = {{"system", "be brief"},
                                        {"user", "hi"},
                                        {"assistant", "hello"},
                                        {"user", "bye"},
                                        {"assistant", "ciao"}};
const std::vector<Message> kNoSystem(kTwoTurns.begin() + 1, kTwoTurns.end());

// Mistral's way: the system prompt stands in the last user message.
constexpr const char* kSystemInLastUser =
    "{%- if messages[0].role == 'system' %}{% set system = messages[0].content %}"
    "{% set rest = messages[1:] %}{% else %}{% set rest = messages %}{% endif %}{{ bos_token }}"
    "{%- for m in rest %}{% if m.role == 'user' %}{% if loop.last or rest[-1].role != 'user' and "
    "loop.index == rest|length - 1 %}{{ '[INST] ' + (system + '\\n\\n' if system is defined else "
    "'') + "
    "m.content + '[/INST]' }}{% else %}{{ '[INST] ' + m.content + '[/INST]' }}{% endif %}"
    "{% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}";

// Qwen3's way: earlier turns lose their reasoning.
constexpr const char* kStripsEarlierReasoning =
    "{%- set ns = namespace(last=0) %}"
    "{%- for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% "
    "endfor %}"
    "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}"
    "{%- if m.role == 'assistant' %}{% set parts = m.content.split('</think>') %}"
    "{%- if loop.index0 > ns.last %}{{ '<think>\\n' + (parts[0].split('<think>')[-1].strip('\\n') "
    "if "
    "parts|length > 1 else '') + '\\n</think>\\n\\n' }}{% endif %}{{ parts[-1].lstrip('\\n') }}"
    "{%- else %}{{ m.content }}{% endif %}{{ '<|im_end|>\\n' }}{% endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and not enable_thinking %}{{ '<think>\\n\\n</think>\\n\\n' "
    "}}"
    "{% endif %}{% endif %}";

TEST_SUITE("unit") {
  TEST_CASE("every turn with its end mark, without the line break after it") {
    CHECK(said_with(kChatMlTemplate, kTwoTurns) == Texts{"hello<|im_end|>", "ciao<|im_end|>"});
    CHECK(said_with(kChatMlTemplate, {{"user", "hi"}}).empty());
  }

  TEST_CASE("content that repeats, is empty, or looks like the template's own marks") {
    CHECK(said_with(kChatMlTemplate,
                    {{"user", "x"}, {"assistant", "x"}, {"user", "x"}, {"assistant", "x"}}) ==
          Texts{"x<|im_end|>", "x<|im_end|>"});
    CHECK(said_with(kChatMlTemplate,
                    {{"user", ""}, {"assistant", ""}, {"user", ""}, {"assistant", ""}}) ==
          Texts{"<|im_end|>", "<|im_end|>"});
    const std::string fake = "<|im_end|>\n<|im_start|>assistant\n";
    CHECK(said_with(kChatMlTemplate,
                    {{"user", fake}, {"assistant", fake}, {"user", "y"}, {"assistant", "z"}}) ==
          Texts{fake + "<|im_end|>", "z<|im_end|>"});
    CHECK(said_with(kChatMlTemplate,
                    {{"user", "\xEE\x80\x80"}, {"assistant", "\xEE\x80\x80 a \xEE\x80\x81"}}) ==
          Texts{"\xEE\x80\x80 a \xEE\x80\x81<|im_end|>"});
  }

  TEST_CASE("characters that share bytes are not cut") {
    CHECK(said_with("{% for m in messages %}{{ m.content }}{% endfor %}",
                    {{"user", "a"}, {"assistant", "\xEE\x80\x81\xEE\x80\x81"}}) ==
          Texts{"\xEE\x80\x81\xEE\x80\x81"});
  }

  TEST_CASE("white space is the end mark where there is no other") {
    constexpr const char* source =
        "{% for m in messages %}{{ m.role + ': ' + m.content | trim + '\\n\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}";
    CHECK(said_with(source,
                    {{"user", "a"}, {"assistant", "  b \n"}, {"user", "c"}, {"assistant", "d"}}) ==
          Texts{"b\n\n", "d\n\n"});
  }

  TEST_CASE("a template that moves the system prompt") {
    CHECK(said_with(kSystemInLastUser, kNoSystem) == Texts{" hello</s>", " ciao</s>"});
    // Prefixes differ here; the content is found by exchanging it.
    CHECK(said_with(kSystemInLastUser, kTwoTurns) == Texts{"hello</s>", " ciao</s>"});
  }

  TEST_CASE("reasoning of earlier turns is not in the text and not supervised") {
    const std::vector<Message> messages = {{"user", "1+1"},
                                           {"assistant", "<think>\nadd\n</think>\n\n2"},
                                           {"user", "2+2"},
                                           {"assistant", "<think>\nsum\n</think>\n\n4"}};
    CHECK(said_with(kStripsEarlierReasoning, messages) ==
          Texts{"2<|im_end|>", "<think>\nsum\n</think>\n\n4<|im_end|>"});
    CHECK(said_with(kStripsEarlierReasoning, kNoSystem) ==
          Texts{"hello<|im_end|>", "<think>\n\n</think>\n\nciao<|im_end|>"});
    CHECK(said_with(kStripsEarlierReasoning, kNoSystem,
                    {.extra_json = R"({"enable_thinking": false})"}) ==
          Texts{"hello<|im_end|>", "ciao<|im_end|>"});
  }

  TEST_CASE(
      "a conversation that starts with the assistant, under a template that looks at the first "
      "message") {
    constexpr const char* source =
        "{% if messages[0].role == 'system' %}S{% endif %}{% for m in messages %}[{{ m.role }}]{{ "
        "m.content }};"
        "{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
    CHECK(said_with(source, {{"assistant", "hi"}, {"user", "x"}, {"assistant", "y"}}) ==
          Texts{"hi;", "y;"});
  }

  TEST_CASE("generation blocks decide where the template has them") {
    constexpr const char* source =
        "{%- for m in messages -%}\n  {%- if m.role == 'assistant' -%}\n    {{- '<a>' -}}\n"
        "    {% generation %}\n{{ m.content }}</a>{% endgeneration %}\n\n  {%- else -%}\n"
        "    {{- '<u>' + m.content + '</u>' -}}\n  {%- endif -%}\n{%- endfor -%}";
    CHECK(said_with(source, kNoSystem) == Texts{"hello</a>", "ciao</a>"});
    const ChatTemplate chat(source, "", "");
    CHECK(chat.render_supervised(kNoSystem).text == chat.render(kNoSystem));
    // Text that imitates the marks changes nothing.
    const std::string odd =
        "\xEF\xA3\xBF"
        "0<\xEF\xA3\xBF";
    CHECK(said_with(source, {{"user", odd}, {"assistant", odd}}) == Texts{odd + "</a>"});
  }

  TEST_CASE("a template that contradicts itself is refused, naming the message") {
    // Each rendering begins with its number of messages, and repeats the content.
    constexpr const char* source =
        "{{ messages|length }}{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}";
    CHECK_THROWS_WITH_AS(said_with(source, kNoSystem),
                         doctest::Contains("what the assistant says in message 2"), Error);
  }
}

}  // namespace
}  // namespace toolkit::text
