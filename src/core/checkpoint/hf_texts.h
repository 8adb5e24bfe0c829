#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/json.h"

namespace toolkit::checkpoint {

/// The small files around a Hugging Face model's weights.
struct HfTexts {
  Json config;
  std::string config_text;
  std::optional<std::string> chat_template;
  std::string bos_token, eos_token;
  std::vector<int32_t> stop_ids;
};

/// Reads config.json, generation_config.json, tokenizer_config.json, special_tokens_map.json and
/// chat_template.jinja. Only the first must be there. Throws Error(kNotFound | kUserInput) with
/// file.
HfTexts read_hf_texts(const std::filesystem::path& folder);

}  // namespace toolkit::checkpoint
