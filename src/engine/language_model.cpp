#include "engine/language_model.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/checkpoint/adapter.h"
#include "core/checkpoint/model_files.h"
#include "engine/adapt.h"
#include "models/resolve.h"

namespace toolkit::engine {

namespace {

std::shared_ptr<const text::Tokenizer> load_tokenizer(const checkpoint::ModelFiles& files,
                                                      int vocabulary) {
  const std::string place = files.path().string();
  const std::optional<std::string> json = files.tokenizer_json();
  if (!json)
    fail(ErrorKind::kUserInput,
         "{}: the model has no tokenizer; put the tokenizer.json that belongs to it beside "
         "config.json",
         place);
  std::shared_ptr<const text::Tokenizer> tokenizer =
      text::Tokenizer::from_json(*json, place + ": tokenizer");
  // Models often pad their vocabulary; a tokenizer with more ids than the model has rows is another
  // model's.
  if (tokenizer->vocabulary_size() > vocabulary)
    fail(ErrorKind::kUserInput,
         "{}: the tokenizer has {} tokens but the model only {}; is it this model's?", place,
         tokenizer->vocabulary_size(), vocabulary);
  return tokenizer;
}

/// End-of-text ids, and the end-of-turn mark of the template the model speaks.
std::vector<int32_t> stop_ids_of(const checkpoint::ModelFiles& files,
                                 const text::Tokenizer& tokenizer,
                                 const std::string& chat_template) {
  std::vector<int32_t> ids = files.stop_ids();
  const auto add = [&](const std::string& token) {
    if (const auto id = tokenizer.id_of(token);
        id && std::find(ids.begin(), ids.end(), *id) == ids.end())
      ids.push_back(*id);
  };
  if (!files.eos_token().empty()) add(files.eos_token());
  for (const char* mark : {"<|im_end|>", "<|eot_id|>", "<end_of_turn>"})
    if (chat_template.find(mark) != std::string::npos) add(mark);
  std::erase_if(ids, [&](int32_t id) { return id < 0; });
  return ids;
}

}  // namespace

OpenedModel open_language_model(const std::string& name) {
  const std::filesystem::path path = models::resolve_model(name);
  std::unique_ptr<checkpoint::ModelFiles> files = checkpoint::open_model_files(path);
  models::DecoderConfig config =
      models::decoder_config_from_json(files->config_json(), path.string());
  std::shared_ptr<const text::Tokenizer> tokenizer = load_tokenizer(*files, config.vocabulary_size);
  const std::string source = files->chat_template().value_or(text::kChatMlTemplate);
  LanguageModel model{.name = name,
                      .path = path,
                      .decoder = nullptr,
                      .tokenizer = tokenizer,
                      .chat = {source, files->bos_token(), files->eos_token()},
                      .stop_ids = stop_ids_of(*files, *tokenizer, source)};
  if (const auto eos = tokenizer->id_of(files->eos_token()); eos && !files->eos_token().empty())
    model.eos_id = *eos;
  else if (!model.stop_ids.empty())
    model.eos_id = model.stop_ids.front();
  return {.files = std::move(files), .config = std::move(config), .model = std::move(model)};
}

LanguageModel load_weights(OpenedModel opened, tensor::Compute compute,
                           const models::BasePacking& packing) {
  opened.model.decoder = models::load_decoder(*opened.files, compute, packing);
  return std::move(opened.model);
}

LanguageModel load_language_model(const std::string& name, tensor::Compute compute,
                                  const std::filesystem::path& adapter,
                                  const models::BasePacking& packing) {
  // What is quick to check comes before the weights are read.
  OpenedModel opened = open_language_model(name);
  std::optional<checkpoint::Adapter> branches;
  if (!adapter.empty()) branches = checkpoint::load_adapter(adapter);
  LanguageModel model = load_weights(std::move(opened), compute, packing);
  if (branches) apply_adapter(*model.decoder, *branches);
  return model;
}

}  // namespace toolkit::engine
