#include "core/checkpoint/write/hf_companions.h"

#include "core/base/atomic_file.h"
#include "core/base/json.h"
#include "core/checkpoint/input_file.h"

namespace toolkit::checkpoint {

namespace {

namespace fs = std::filesystem;

constexpr uint64_t kLimit = uint64_t{256} << 20;

/// Nothing else of a folder is taken along: it might be anything.
constexpr const char* kCopied[] = {"tokenizer.json",
                                   "tokenizer_config.json",
                                   "special_tokens_map.json",
                                   "added_tokens.json",
                                   "generation_config.json",
                                   "chat_template.jinja",
                                   "chat_template.json",
                                   "vocab.json",
                                   "merges.txt",
                                   "tokenizer.model"};

Json with_tokens(Json object, const ModelFiles& model) {
  if (!model.bos_token().empty()) object["bos_token"] = model.bos_token();
  if (!model.eos_token().empty()) object["eos_token"] = model.eos_token();
  return object;
}

}  // namespace

void save_hf_companions(const fs::path& folder, const ModelFiles& model) {
  std::error_code error;
  if (fs::is_directory(model.path(), error)) {
    for (const char* name : kCopied)
      if (fs::exists(model.path() / name, error))
        write_file_atomically(folder / name, read_text(model.path() / name, kLimit));
    return;
  }
  const auto write = [&](const char* name, const Json& object) {
    write_file_atomically(folder / name, object.dump(2) + "\n");
  };
  if (const auto tokenizer = model.tokenizer_json())
    write_file_atomically(folder / "tokenizer.json", *tokenizer);
  const Json config = parse_json(model.config_json(), model.path().string());
  Json tokenizer = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                    {"clean_up_tokenization_spaces", false}};
  if (config.contains("max_position_embeddings"))
    tokenizer["model_max_length"] = config.at("max_position_embeddings");
  write("tokenizer_config.json", with_tokens(tokenizer, model));
  write("special_tokens_map.json", with_tokens(Json::object(), model));
  Json generation = Json::object();
  for (const char* key : {"bos_token_id", "pad_token_id"})
    if (config.contains(key)) generation[key] = config.at(key);
  if (const auto stops = model.stop_ids(); !stops.empty()) generation["eos_token_id"] = stops;
  write("generation_config.json", generation);
  if (const auto chat = model.chat_template())
    write_file_atomically(folder / "chat_template.jinja", *chat);
}

}  // namespace toolkit::checkpoint
