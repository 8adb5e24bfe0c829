#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/checkpoint/model_files.h"
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

/// A model whose weights are not read yet: enough to make tokens of rows and to plan.
struct OpenedModel {
  std::unique_ptr<checkpoint::ModelFiles> files;
  models::DecoderConfig config;
  LanguageModel model;  // without its decoder
};

/// Resolves, opens and checks; quick, whatever the model's size.
OpenedModel open_language_model(const std::string& name);

/// Reads the weights.
LanguageModel load_weights(OpenedModel opened, tensor::Compute compute,
                           const models::BasePacking& packing = {});

/// Resolves, opens, checks and loads. `adapter` (a folder, may be empty) is applied on top.
LanguageModel load_language_model(const std::string& name, tensor::Compute compute,
                                  const std::filesystem::path& adapter = {},
                                  const models::BasePacking& packing = {});

}  // namespace toolkit::engine
