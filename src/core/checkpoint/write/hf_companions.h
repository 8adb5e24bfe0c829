#pragma once

#include <filesystem>

#include "core/checkpoint/model_files.h"

namespace toolkit::checkpoint {

/// Writes the small files that stand beside the weights in a Hugging Face folder: tokenizer.json,
/// tokenizer_config.json, special_tokens_map.json, generation_config.json, chat_template.jinja.
/// From a folder they are copied as they are; from a GGUF they are made.
void save_hf_companions(const std::filesystem::path& folder, const ModelFiles& model);

}  // namespace toolkit::checkpoint
