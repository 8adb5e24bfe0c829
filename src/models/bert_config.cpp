#include "core/base/error.h"
#include "core/base/json.h"
#include "models/bert.h"
#include "models/config_reader.h"

namespace toolkit::models {

namespace {

bool is_family(const std::string& name) {
  return name == "bert" || name == "roberta" || name == "xlm-roberta";
}

tensor::Activation activation_named(const std::string& name, const std::string& source) {
  if (name == "gelu" || name == "gelu_python") return tensor::Activation::kGelu;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") return tensor::Activation::kGeluTanh;
  if (name == "relu") return tensor::Activation::kRelu;
  fail(ErrorKind::kUnsupported,
       "{}: the activation '{}' is not known; expected gelu, gelu_new, gelu_pytorch_tanh or relu",
       source, name.substr(0, 80));
}

}  // namespace

bool is_bert_config(const std::string& config_json) {
  const Json config = Json::parse(config_json, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object()) return false;
  const auto family = config.find("model_type");
  return family != config.end() && family->is_string() && is_family(family->get<std::string>());
}

BertConfig bert_config_from_json(const std::string& config_json, const std::string& source) {
  const Json json = parse_json(config_json, source);
  if (!json.is_object()) fail(ErrorKind::kUserInput, "{}: expected a JSON object", source);
  const ConfigReader read(json, source + ": config.json");
  BertConfig config;
  config.family = read.text_or("model_type", "");
  if (!is_family(config.family))
    fail(ErrorKind::kUnsupported,
         "{}: encoders of the type '{}' are not known; expected bert, roberta or xlm-roberta",
         read.source(), config.family.substr(0, 80));
  if (read.text_or("position_embedding_type", "absolute") != "absolute")
    fail(ErrorKind::kUnsupported, "{}: only absolute position embeddings are known", read.source());
  config.hidden_size = read.integer("hidden_size", 1, 1 << 16);
  config.intermediate_size = read.integer("intermediate_size", 1, 1 << 18);
  config.num_layers = read.integer("num_hidden_layers", 1, 1000);
  config.num_heads = read.integer("num_attention_heads", 1, config.hidden_size);
  if (config.hidden_size % config.num_heads != 0)
    fail(ErrorKind::kUserInput, "{}: {} heads do not divide hidden_size {}", read.source(),
         config.num_heads, config.hidden_size);
  config.vocabulary_size = read.integer("vocab_size", 1, 1 << 24);
  config.max_positions = read.integer("max_position_embeddings", 4, 1 << 20);
  config.token_types = read.integer_or("type_vocab_size", 2, 1, 1024);
  if (config.family != "bert")
    config.first_position = read.integer_or("pad_token_id", 1, 0, config.max_positions - 2) + 1;
  config.norm_eps = static_cast<float>(read.positive_or("layer_norm_eps", 1e-12));
  config.activation = activation_named(read.text_or("hidden_act", "gelu"), read.source());
  return config;
}

}  // namespace toolkit::models
