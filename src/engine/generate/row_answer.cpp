#include "engine/generate/row_answer.h"

#include "core/base/interrupt.h"

namespace toolkit::engine {

std::vector<text::Message> question_of(const data::Row& row) {
  std::vector<text::Message> messages = row.messages;
  while (!messages.empty() && messages.back().role != "user") messages.pop_back();
  return messages;
}

std::string expected_answer(const data::Row& row) {
  const size_t asked = question_of(row).size();
  return asked > 0 && asked < row.messages.size() ? row.messages[asked].content : "";
}

std::string answer_row(Generator& generator, const LanguageModel& model, const data::Row& row,
                       int max_tokens) {
  const std::string prompt = model.chat.render(
      question_of(row), {.add_generation_prompt = true, .tools_json = row.tools_json});
  const GenerateResult result = generator.generate(
      model.tokenizer->encode(prompt, false).ids,
      {.sampling = {.temperature = 0.0}, .max_tokens = max_tokens, .interrupted = [] {
         return InterruptGuard::requested();
       }});
  const size_t end = result.text.find_last_not_of(" \t\r\n");
  return end == std::string::npos ? "" : result.text.substr(0, end + 1);
}

}  // namespace toolkit::engine
