#include "projects/export/modelfile.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/model_store/ollama/gguf_model.h"

namespace toolkit::export_model {

std::string modelfile(const std::string& gguf, const std::string& adapter,
                      const std::string& chat_template) {
  std::string text = fmt::format("FROM ./{}\n", gguf);
  if (!adapter.empty()) text += fmt::format("ADAPTER ./{}\n", adapter);
  const auto conversation = model_store::ollama::conversation_of_template(chat_template);
  if (conversation.template_text.empty()) return text;
  text += fmt::format("TEMPLATE \"\"\"{}\"\"\"\n", conversation.template_text);
  const auto params = nlohmann::json::parse(conversation.params);
  for (const std::string stop : params.at("stop"))
    text += fmt::format("PARAMETER stop \"{}\"\n", stop);
  return text;
}

}  // namespace toolkit::export_model
