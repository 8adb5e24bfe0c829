#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/checkpoint/model_files.h"

namespace toolkit::inspect {

/// What one can say of a model without loading its weights.
struct ModelCard {
  std::string path, family, weights;  // weights: "4-bit groups of 32", "bfloat16"
  int layers = 0, hidden_size = 0, heads = 0, kv_heads = 0, vocabulary = 0, context = 0;
  int64_t parameters = 0;
  uint64_t size_bytes = 0;
  bool tokenizer = false, chat_template = false;
};

/// Throws what reading the configuration throws (an architecture that is not known, ...).
ModelCard describe_model(const checkpoint::ModelFiles& files);

std::string to_page(const ModelCard& card);
nlohmann::json to_json(const ModelCard& card);

}  // namespace toolkit::inspect
