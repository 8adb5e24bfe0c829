#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/tensor/backend.h"
#include "core/text/chat_template.h"
#include "core/text/tokenizer.h"
#include "models/decoder.h"

namespace toolkit::engine {

/// A decoder with everything needed to talk to it.
struct LanguageModel {
  std::string name;  // as the user gave it
  std::filesystem::path path;
  std::unique_ptr<models::Decoder> decoder;
  std::shared_ptr<const text::Tokenizer> tokenizer;
  text::ChatTemplate chat;
  std::vector<int32_t> stop_ids;
  int32_t eos_id = -1;
};

/// Resolves, opens, checks and loads. `adapter` (a folder, may be empty) is applied on top.
LanguageModel load_language_model(const std::string& name, tensor::Compute compute,
                                  const std::filesystem::path& adapter = {},
                                  const models::BasePacking& packing = {});

}  // namespace toolkit::engine
