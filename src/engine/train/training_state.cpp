#include "engine/train/training_state.h"

#include <fstream>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/checkpoint/safetensors.h"

namespace toolkit::engine {

namespace {

constexpr const char* kFormat = "mlx-toolkit training state 2";
constexpr const char* kParameter = "parameter:";
constexpr const char* kOptimizer = "optimizer:";

// The header's metadata, checked like every header.
std::map<std::string, std::string> read_metadata(const std::filesystem::path& file) {
  const uint64_t size = std::filesystem::file_size(file);
  std::ifstream stream(file, std::ios::binary);
  unsigned char length_bytes[8] = {};
  stream.read(reinterpret_cast<char*>(length_bytes), 8);
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | length_bytes[i];
  if (!stream || size < 8 || length > size - 8)
    fail(ErrorKind::kUserInput, "{}: not a training state (header is cut off)", file.string());
  std::vector<uint8_t> start(8 + length);
  stream.seekg(0);
  stream.read(reinterpret_cast<char*>(start.data()), static_cast<std::streamsize>(start.size()));
  if (!stream) fail(ErrorKind::kIo, "{}: cannot be read", file.string());
  return checkpoint::parse_safetensors_header(start, size, file.string()).metadata;
}

}  // namespace

void save_training_state(const std::filesystem::path& file, const TrainingState& state) {
  std::map<std::string, mx::array> tensors;
  for (const auto& [name, value] : state.parameters) tensors.emplace(kParameter + name, value);
  for (const auto& [name, value] : state.optimizer) tensors.emplace(kOptimizer + name, value);
  const Json values = {{"step", state.step},
                       {"optimizer_steps", state.optimizer_steps},
                       {"tokens", state.tokens},
                       {"supervised_tokens", state.supervised_tokens},
                       {"validation_loss_before", state.validation_loss_before},
                       {"best_loss", state.best_loss},
                       {"validation_metrics_before", state.validation_metrics_before},
                       {"best_metrics", state.best_metrics},
                       {"best_step", state.best_step},
                       {"patience_loss", state.patience_loss},
                       {"stale_validations", state.stale_validations},
                       {"fingerprint", state.fingerprint}};
  checkpoint::save_safetensors(file, tensors, {{"format", kFormat}, {"state", values.dump()}});
}

std::optional<TrainingState> load_training_state(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return std::nullopt;
  const std::map<std::string, std::string> metadata = read_metadata(file);
  const auto format = metadata.find("format"), values = metadata.find("state");
  if (format == metadata.end() || format->second != kFormat || values == metadata.end())
    fail(ErrorKind::kUserInput, "{}: not a training state of this program", file.string());
  TrainingState state;
  try {
    const Json json = parse_json(values->second, file.string());
    state.step = json.at("step");
    state.optimizer_steps = json.at("optimizer_steps");
    state.tokens = json.at("tokens");
    state.supervised_tokens = json.at("supervised_tokens");
    state.validation_loss_before = json.at("validation_loss_before");
    state.best_loss = json.at("best_loss");
    // Not in the states of earlier versions, which only knew losses.
    state.validation_metrics_before =
        json.value("validation_metrics_before", std::map<std::string, double>());
    state.best_metrics = json.value("best_metrics", std::map<std::string, double>());
    state.best_step = json.at("best_step");
    state.patience_loss = json.at("patience_loss");
    state.stale_validations = json.at("stale_validations");
    state.fingerprint = json.at("fingerprint");
  } catch (const Json::exception& error) {
    fail(ErrorKind::kUserInput, "{}: damaged training state: {}", file.string(), error.what());
  }
  for (const auto& [name, value] : checkpoint::load_safetensors(file)) {
    if (name.starts_with(kParameter)) state.parameters.emplace(name.substr(10), value);
    if (name.starts_with(kOptimizer)) state.optimizer.emplace(name.substr(10), value);
  }
  return state;
}

}  // namespace toolkit::engine
