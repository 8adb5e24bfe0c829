#include "projects/inspect/model_card.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/base/paths.h"
#include "mlx/utils.h"
#include "models/decoder.h"
#include "models/parameter_count.h"

namespace toolkit::inspect {

namespace {

/// How the first projection of the first layer lies in the file stands for the whole model.
std::string weight_text(const checkpoint::ModelFiles& files) {
  for (const std::string& module : files.modules()) {
    if (!module.ends_with("q_proj")) continue;
    const tensor::Weight weight = files.weight(module);
    if (weight.quantized())
      return fmt::format("{}-bit in groups of {}", weight.bits, weight.group_size);
    std::ostringstream name;
    name << weight.data.dtype();
    return name.str();
  }
  return "unknown";
}

std::string millions(int64_t count) {
  return count < 1000000000 ? fmt::format("{:.1f} million", static_cast<double>(count) / 1e6)
                            : fmt::format("{:.2f} billion", static_cast<double>(count) / 1e9);
}

}  // namespace

ModelCard describe_model(const checkpoint::ModelFiles& files) {
  const models::DecoderConfig config =
      models::decoder_config_from_json(files.config_json(), files.path().string());
  return {.path = files.path().string(),
          .family = config.family,
          .weights = weight_text(files),
          .layers = config.num_layers,
          .hidden_size = config.hidden_size,
          .heads = config.num_heads,
          .kv_heads = config.num_kv_heads,
          .vocabulary = config.vocabulary_size,
          .context = config.max_positions,
          .parameters = models::parameter_count(config),
          .size_bytes = files.size_bytes(),
          .tokenizer = files.tokenizer_json().has_value(),
          .chat_template = files.chat_template().has_value()};
}

std::string to_page(const ModelCard& card) {
  std::string text;
  const auto row = [&](const char* name, const std::string& value) {
    text += fmt::format("{:<16}{}\n", name, value);
  };
  row("path", shown_path(card.path));
  row("family", card.family);
  row("parameters", millions(card.parameters));
  row("weights", fmt::format("{}, {:.2f} GB on disk", card.weights,
                             static_cast<double>(card.size_bytes) / 1e9));
  row("layers", fmt::format("{}, {} wide, {} heads, {} key-value heads", card.layers,
                            card.hidden_size, card.heads, card.kv_heads));
  row("vocabulary", fmt::format("{}", card.vocabulary));
  row("context", fmt::format("{} tokens", card.context));
  row("tokenizer", card.tokenizer ? "yes" : "missing: the model cannot read or write text");
  row("chat template", card.chat_template ? "yes" : "none: ChatML is used");
  return text;
}

nlohmann::json to_json(const ModelCard& card) {
  return {{"path", card.path},
          {"family", card.family},
          {"parameters", card.parameters},
          {"weights", card.weights},
          {"size_bytes", card.size_bytes},
          {"layers", card.layers},
          {"hidden_size", card.hidden_size},
          {"heads", card.heads},
          {"kv_heads", card.kv_heads},
          {"vocabulary", card.vocabulary},
          {"context", card.context},
          {"tokenizer", card.tokenizer},
          {"chat_template", card.chat_template}};
}

}  // namespace toolkit::inspect
