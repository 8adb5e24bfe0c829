#include "core/text/chat_template.h"
#include "fuzz/target.h"

/// A Jinja chat template, rendered with and without the marks for training.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace toolkit;
  const std::vector<text::Message> messages = {{"system", "Be brief.", ""},
                                               {"user", "Hi <|im_end|> {{ x }}", ""},
                                               {"assistant", "Hello!", R"({"tool_calls": []})"},
                                               {"user", "Bye", ""},
                                               {"assistant", "See you.", ""}};
  return fuzz::expect_no_crash([&] {
    const text::ChatTemplate chat(fuzz::as_text(data, size), "<s>", "</s>");
    chat.render(messages, {.add_generation_prompt = true});
    const auto rendered = chat.render_supervised(messages);
    for (const auto& [begin, end] : rendered.assistant)
      if (begin > end || end > rendered.text.size()) std::abort();
  });
}
