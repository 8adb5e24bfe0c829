#include "projects/serve/model_details.h"

#include <fmt/format.h>

#include <span>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/checkpoint/gguf_header.h"
#include "core/checkpoint/model_files.h"
#include "core/hash/hasher.h"
#include "models/decoder.h"
#include "models/parameter_count.h"
#include "models/resolve.h"

namespace toolkit::serve {

namespace {

/// The type that most bytes of the file have.
std::string gguf_quantization(const std::filesystem::path& path) {
  std::map<uint32_t, uint64_t> bytes;
  for (const checkpoint::GgufTensor& tensor : checkpoint::read_gguf_header(path).tensors)
    bytes[tensor.type] += tensor.size_bytes;
  uint32_t most = 0;
  for (const auto& [type, size] : bytes)
    if (size > bytes[most]) most = type;
  return checkpoint::ggml_type_name(most);
}

std::string folder_quantization(const std::string& config_json) {
  const Json config = parse_json(config_json, "config.json");
  if (config.contains("quantization") && config["quantization"].contains("bits"))
    return fmt::format("Q{}", config["quantization"]["bits"].get<int>());
  for (const char* key : {"torch_dtype", "dtype"})
    if (config.contains(key) && config[key].is_string()) {
      const auto name = config[key].get<std::string>();
      return name == "bfloat16" ? "BF16" : name == "float16" ? "F16" : "F32";
    }
  return "F32";
}

ModelDetails read_details(const std::string& base) {
  ModelDetails details;
  try {
    const std::filesystem::path path = models::resolve_model(base);
    const auto files = checkpoint::open_model_files(path);
    const std::string config_json = files->config_json();
    const models::DecoderConfig config =
        models::decoder_config_from_json(config_json, path.string());
    const bool gguf = files->path().extension() == ".gguf";
    details = {
        .family = config.family,
        .format = gguf ? "gguf" : "safetensors",
        .quantization = gguf ? gguf_quantization(files->path()) : folder_quantization(config_json),
        .parameters = models::parameter_count(config),
        .size_bytes = static_cast<int64_t>(files->size_bytes()),
        .context_tokens = config.max_positions,
        .hidden_size = config.hidden_size,
        .layers = config.num_layers,
        .heads = config.num_heads,
        .kv_heads = config.num_kv_heads,
        .chat_template = files->chat_template().value_or("")};
  } catch (const std::exception& error) {
    details.fault = error.what();
  }
  return details;
}

}  // namespace

std::string ModelDetails::parameter_size() const {
  const auto count = static_cast<double>(parameters);
  if (parameters >= 1'000'000'000) return fmt::format("{:.1f}B", count / 1e9);
  if (parameters >= 1'000'000) return fmt::format("{:.2f}M", count / 1e6);
  return fmt::format("{:.1f}K", count / 1e3);
}

ModelDetails ModelDetailsCache::of(const ServedModel& model) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = known_.find(model.base); found != known_.end()) return found->second;
  }
  ModelDetails details = read_details(model.base);
  const std::lock_guard lock(mutex_);
  if (details.fault.empty()) known_[model.base] = details;
  return details;
}

std::string model_digest(const ServedModel& model, const ModelDetails& details) {
  const std::string text = fmt::format("{}\n{}\n{}\n{}\n{}", model.name, model.base,
                                       model.adapter.string(), model.created, details.size_bytes);
  return hash::hash_bytes(hash::Algorithm::kSha256,
                          {reinterpret_cast<const uint8_t*>(text.data()), text.size()})
      .hex;
}

}  // namespace toolkit::serve
