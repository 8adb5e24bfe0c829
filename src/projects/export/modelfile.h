#pragma once

#include <string>

namespace toolkit::export_model {

/// An Ollama Modelfile: FROM, ADAPTER (if there is one), and for chat templates of known families
/// TEMPLATE and the stop texts.
std::string modelfile(const std::string& gguf, const std::string& adapter,
                      const std::string& chat_template);

}  // namespace toolkit::export_model
