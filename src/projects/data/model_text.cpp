#include "projects/data/model_text.h"

#include "core/base/error.h"
#include "core/checkpoint/model_files.h"
#include "models/resolve.h"

namespace toolkit::data_check {

ModelText load_model_text(const std::string& model) {
  const auto files = checkpoint::open_model_files(models::resolve_model(model));
  const auto json = files->tokenizer_json();
  if (!json) {
    fail(ErrorKind::kNotFound, "{}: has no tokenizer (expected tokenizer.json beside the weights)",
         files->path().string());
  }
  auto tokenizer = text::Tokenizer::from_json(*json, files->path().string());
  const int32_t eos = tokenizer->id_of(files->eos_token()).value_or(-1);
  return {.tokenizer = std::move(tokenizer),
          .chat = text::ChatTemplate(files->chat_template().value_or(text::kChatMlTemplate),
                                     files->bos_token(), files->eos_token()),
          .eos_id = eos};
}

}  // namespace toolkit::data_check
