#pragma once

#include <memory>
#include <string>

#include "core/text/chat_template.h"
#include "core/text/tokenizer.h"

namespace toolkit::data_check {

/// What of a model turns rows into tokens; its weights stay on disk.
struct ModelText {
  std::shared_ptr<const text::Tokenizer> tokenizer;
  text::ChatTemplate chat;
  int32_t eos_id = -1;
};

/// Throws Error(kNotFound | kUserInput) when the model has no tokenizer.
ModelText load_model_text(const std::string& model);

}  // namespace toolkit::data_check
