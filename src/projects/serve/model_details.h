#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "projects/serve/model_names.h"

namespace toolkit::serve {

/// What clients of Ollama are told of a model.
struct ModelDetails {
  std::string family;        // "llama"
  std::string format;        // "gguf" or "safetensors"
  std::string quantization;  // "Q4_1", "BF16"
  int64_t parameters = 0, size_bytes = 0;
  int context_tokens = 0, hidden_size = 0, layers = 0, heads = 0, kv_heads = 0;
  std::string chat_template;
  std::string fault;  // why it cannot be used; "" if it can

  std::string parameter_size() const;  // "134.52M"
};

/// Reads headers only, each model once. Safe from several threads.
class ModelDetailsCache {
 public:
  ModelDetails of(const ServedModel& model);

 private:
  std::mutex mutex_;
  std::map<std::string, ModelDetails> known_;  // by base
};

/// 64 hexadecimal digits that stay while name, base and files do.
std::string model_digest(const ServedModel& model, const ModelDetails& details);

}  // namespace toolkit::serve
