#include "core/checkpoint/hf_texts.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/checkpoint/input_file.h"
#include "core/checkpoint/utf8.h"

namespace toolkit::checkpoint {

namespace {

namespace fs = std::filesystem;

constexpr size_t kSmallFile = size_t{64} << 20;

Json read_object(const fs::path& path) {
  if (!fs::exists(path)) return Json::object();
  Json object = parse_json(read_text(path, kSmallFile), path.string());
  if (!object.is_object())
    fail(ErrorKind::kUserInput, "{}: expected a JSON object, found {}", path.string(),
         object.type_name());
  return object;
}

/// A special token stands there as text or as an object with "content".
std::string token_text(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return "";
  if (found->is_string()) return *found;
  if (found->is_object() && found->contains("content") && found->at("content").is_string())
    return found->at("content");
  return "";
}

std::optional<std::string> template_text(const Json& value, const fs::path& path) {
  if (value.is_null()) return std::nullopt;
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array())
    fail(ErrorKind::kUserInput, "{}: expected \"chat_template\" to be a text or a list, found {}",
         path.string(), value.type_name());
  std::optional<std::string> first;
  for (const Json& named : value) {
    if (!named.is_object() || !named.contains("template") || !named.at("template").is_string())
      fail(ErrorKind::kUserInput,
           "{}: expected every \"chat_template\" to have a text \"template\"", path.string());
    if (!first || (named.contains("name") && named.at("name") == "default"))
      first = named.at("template");
  }
  return first;
}

void add_ids(const Json& object, const fs::path& path, std::vector<int32_t>& ids) {
  const auto found = object.find("eos_token_id");
  if (found == object.end() || found->is_null()) return;
  for (const Json& id : found->is_array() ? *found : Json::array({*found})) {
    if (!id.is_number_integer() || id < 0 || id > INT32_MAX)
      fail(ErrorKind::kUserInput,
           "{}: expected \"eos_token_id\" to be a token id or a list of them, found {}",
           path.string(), printable(found->dump()));
    const auto value = id.get<int32_t>();
    if (std::find(ids.begin(), ids.end(), value) == ids.end()) ids.push_back(value);
  }
}

}  // namespace

HfTexts read_hf_texts(const fs::path& folder) {
  HfTexts texts;
  const fs::path config = folder / "config.json";
  if (!fs::exists(config))
    fail(ErrorKind::kNotFound,
         "{}: expected a model folder with config.json and safetensors files, found no config.json",
         folder.string());
  texts.config = read_object(config);
  texts.config_text = read_text(config, kSmallFile);

  const fs::path generation = folder / "generation_config.json",
                 tokenizer = folder / "tokenizer_config.json";
  add_ids(read_object(generation), generation, texts.stop_ids);
  add_ids(texts.config, config, texts.stop_ids);

  const Json tokenizer_config = read_object(tokenizer);
  const Json special = read_object(folder / "special_tokens_map.json");
  const auto token = [&](const char* key) {
    const std::string text = token_text(tokenizer_config, key);
    return text.empty() ? token_text(special, key) : text;
  };
  texts.bos_token = token("bos_token");
  texts.eos_token = token("eos_token");

  const fs::path jinja = folder / "chat_template.jinja";
  if (fs::exists(jinja))
    texts.chat_template = read_text(jinja, kSmallFile);
  else if (tokenizer_config.contains("chat_template"))
    texts.chat_template = template_text(tokenizer_config.at("chat_template"), tokenizer);
  return texts;
}

}  // namespace toolkit::checkpoint
