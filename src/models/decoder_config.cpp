#include <cmath>

#include "core/base/error.h"
#include "core/base/json.h"
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/rope_scaling.h"

namespace toolkit::models {

namespace {

/// What a family is, beyond what its config.json says. `defaults` are the values a config.json may
/// leave out; the rest are traits of the architecture.
struct Family {
  const char* model_type;
  const char* defaults;
  bool query_key_value_bias = false;  // Qwen 2: always, without a bias on the output
  bool query_key_norm = false;
  bool gemma = false;           // norm stores w - 1, post norms, scaled embedding, query scalar
  bool skips_rotation = false;  // SmolLM3: no_rope_layers
};

constexpr Family kFamilies[] = {
    {.model_type = "llama", .defaults = R"({"hidden_act": "silu", "rope_theta": 10000.0})"},
    {.model_type = "mistral",
     .defaults = R"({"hidden_act": "silu", "rope_theta": 10000.0, "sliding_window": 4096,
                     "sliding_window_pattern": 0, "num_key_value_heads": 8})"},
    {.model_type = "qwen2",
     .defaults = R"({"hidden_act": "silu", "rope_theta": 10000.0, "use_sliding_window": false,
                     "sliding_window": 4096, "max_window_layers": 28})",
     .query_key_value_bias = true},
    {.model_type = "qwen3",
     .defaults = R"({"hidden_act": "silu", "rope_theta": 10000.0, "use_sliding_window": false,
                     "sliding_window": 4096, "max_window_layers": 28, "head_dim": 128})",
     .query_key_norm = true},
    {.model_type = "smollm3",
     .defaults = R"({"hidden_act": "silu", "rope_theta": 2000000.0, "use_sliding_window": false,
                     "num_key_value_heads": 4, "no_rope_layer_interval": 4, "tie_word_embeddings": true})",
     .skips_rotation = true},
    {.model_type = "gemma2",
     .defaults =
         R"({"hidden_activation": "gelu_pytorch_tanh", "rope_theta": 10000.0, "head_dim": 256,
                     "num_attention_heads": 8, "num_key_value_heads": 4, "query_pre_attn_scalar": 256,
                     "max_position_embeddings": 8192, "tie_word_embeddings": true, "vocab_size": 256000,
                     "sliding_window": 4096, "sliding_window_pattern": 2,
                     "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0})",
     .gemma = true},
    {.model_type = "gemma3_text",
     .defaults = R"({"hidden_activation": "gelu_pytorch_tanh", "rope_theta": 1000000.0,
                     "rope_local_base_freq": 10000.0, "head_dim": 256, "num_attention_heads": 8,
                     "num_key_value_heads": 4, "query_pre_attn_scalar": 256, "vocab_size": 262208,
                     "max_position_embeddings": 131072, "tie_word_embeddings": true,
                     "sliding_window": 4096, "sliding_window_pattern": 6})",
     .query_key_norm = true,
     .gemma = true},
};

const Family& find_family(const std::string& model_type, const std::string& source) {
  std::string known;
  for (const Family& family : kFamilies) {
    if (model_type == family.model_type) return family;
    known += (known.empty() ? "" : ", ") + std::string(family.model_type);
  }
  fail(ErrorKind::kUnsupported, "{}: model type '{}' is not supported; known: {}", source,
       model_type, known);
}

void read_sizes(const ConfigReader& reader, const Family& family, DecoderConfig& config) {
  constexpr int64_t kMaxSize = 1 << 24;
  config.hidden_size = reader.integer("hidden_size", 1, kMaxSize);
  config.intermediate_size = reader.integer("intermediate_size", 1, kMaxSize);
  config.num_layers = reader.integer("num_hidden_layers", 1, 4096);
  config.num_heads = reader.integer("num_attention_heads", 1, 1 << 16);
  config.num_kv_heads = reader.integer_or("num_key_value_heads", config.num_heads, 1, 1 << 16);
  config.head_dim =
      reader.integer_or("head_dim", config.hidden_size / config.num_heads, 1, 1 << 16);
  config.vocabulary_size = reader.integer("vocab_size", 1, kMaxSize);
  config.max_positions = reader.integer_or("max_position_embeddings", 2048, 1, INT32_MAX);
  config.norm_eps = static_cast<float>(reader.positive_or("rms_norm_eps", 1e-6));
  if (config.num_heads % config.num_kv_heads != 0)
    fail(ErrorKind::kUserInput,
         "{}: \"num_attention_heads\" {} must be a multiple of \"num_key_value_heads\" {}",
         reader.source(), config.num_heads, config.num_kv_heads);
  if (config.head_dim % 2 != 0)
    fail(ErrorKind::kUserInput, "{}: the head size must be even, found {}", reader.source(),
         config.head_dim);

  const bool bias = reader.flag_or("attention_bias", false);
  config.attention_bias = bias || family.query_key_value_bias;
  config.output_bias = bias && !family.query_key_value_bias;
  config.mlp_bias = reader.flag_or("mlp_bias", false);
  config.tied_embeddings = reader.flag_or("tie_word_embeddings", false);
  config.query_key_norm = family.query_key_norm;
}

void read_functions(const ConfigReader& reader, const Family& family, DecoderConfig& config) {
  const std::string activation =
      reader.text_or("hidden_activation", reader.text_or("hidden_act", "silu"));
  if (activation == "silu" || activation == "swish") {
    config.gate = tensor::Gate::kSilu;
  } else if (activation == "gelu_pytorch_tanh" || activation == "gelu_new" || family.gemma) {
    config.gate = tensor::Gate::kGeluTanh;  // Gemma's first configs said "gelu" and meant this
  } else {
    fail(ErrorKind::kUnsupported,
         "{}: activation '{}' is not supported; known: silu, gelu_pytorch_tanh", reader.source(),
         activation);
  }
  if (reader.flag_or("use_bidirectional_attention", false))
    fail(ErrorKind::kUnsupported, "{}: attention in both directions is not supported",
         reader.source());
  config.norm_adds_one = config.post_norms = family.gemma;
  double query_scalar = config.head_dim;
  if (family.gemma) {
    config.embedding_scale = std::sqrt(static_cast<float>(config.hidden_size));
    query_scalar = reader.positive("query_pre_attn_scalar");
  }
  config.attention_scale = static_cast<float>(1.0 / std::sqrt(query_scalar));
  config.attention_softcap = static_cast<float>(reader.positive_or("attn_logit_softcapping", 0.0));
  config.logit_softcap = static_cast<float>(reader.positive_or("final_logit_softcapping", 0.0));
}

std::vector<bool> rotating_layers(const ConfigReader& reader, const Family& family, int layers) {
  std::vector<bool> rotates(static_cast<size_t>(layers), true);
  if (!family.skips_rotation) return rotates;
  if (!reader.has("no_rope_layers")) {
    const int interval = reader.integer("no_rope_layer_interval", 1, INT32_MAX);
    for (int i = 0; i < layers; ++i) rotates[static_cast<size_t>(i)] = (i + 1) % interval != 0;
    return rotates;
  }
  const Json& list = reader.at("no_rope_layers");
  if (!list.is_array() || list.size() < rotates.size())
    reader.wrong("no_rope_layers", "a list with one number per layer", list);
  for (size_t i = 0; i < rotates.size(); ++i) {
    if (!list[i].is_number_integer()) reader.wrong("no_rope_layers", "a list of 0 and 1", list);
    rotates[i] = list[i] != 0;  // the name says the opposite of what it holds: 1 rotates
  }
  return rotates;
}

/// Which layers see only a window, by `layer_types` or by the family's older keys.
std::vector<bool> sliding_layers(const ConfigReader& reader, const std::vector<bool>& rotates) {
  const size_t layers = rotates.size();
  std::vector<bool> slides(layers, false);
  if (reader.has("layer_types")) {
    const Json& types = reader.at("layer_types");
    if (!types.is_array() || types.size() != layers)
      reader.wrong("layer_types", "a list with one entry per layer", types);
    for (size_t i = 0; i < layers; ++i) {
      if (types[i] != "full_attention" && types[i] != "sliding_attention")
        fail(ErrorKind::kUnsupported,
             "{}: layer type {} is not supported; known: full_attention, sliding_attention",
             reader.source(), types[i].dump());
      slides[i] = types[i] == "sliding_attention";
    }
    return slides;
  }
  if (reader.has("sliding_window_pattern")) {  // every n-th layer sees everything; 0: none does
    const int pattern = reader.integer("sliding_window_pattern", 0, INT32_MAX);
    for (size_t i = 0; i < layers; ++i)
      slides[i] = pattern == 0 || (i + 1) % static_cast<size_t>(pattern) != 0;
  } else if (reader.has("max_window_layers")) {
    const auto first = static_cast<size_t>(reader.integer("max_window_layers", 0, INT32_MAX));
    for (size_t i = first; i < layers; ++i) slides[i] = true;
  } else if (reader.has("use_sliding_window")) {
    for (size_t i = 0; i < layers; ++i) slides[i] = !rotates[i];
  }
  return slides;
}

void read_layers(const ConfigReader& reader, const Family& family, DecoderConfig& config) {
  const std::vector<bool> rotates = rotating_layers(reader, family, config.num_layers);
  const std::vector<bool> slides = sliding_layers(reader, rotates);
  const bool windows = reader.has("sliding_window") && reader.flag_or("use_sliding_window", true);
  const int window = windows ? reader.integer("sliding_window", 1, INT32_MAX) : 0;
  for (size_t i = 0; i < rotates.size(); ++i)
    config.layers.push_back({.rotates = rotates[i], .window = slides[i] ? window : 0, .rope = 0});

  const RopeContext context{config.head_dim, config.max_positions, reader.source()};
  const auto with_base = [&](Json parameters, const char* base_key) {
    if (!parameters.is_object()) parameters = Json::object();
    if (!parameters.contains("rope_theta") || parameters.at("rope_theta").is_null())
      parameters["rope_theta"] = reader.at(base_key);
    if (reader.has("partial_rotary_factor") && !parameters.contains("partial_rotary_factor"))
      parameters["partial_rotary_factor"] = reader.at("partial_rotary_factor");
    return parameters;
  };
  Json given = reader.has("rope_parameters") ? reader.at("rope_parameters") : Json::object();
  if (!given.is_object()) reader.wrong("rope_parameters", "an object", given);
  const bool by_type = given.contains("full_attention") || given.contains("sliding_attention");
  Json full = by_type ? given.value("full_attention", Json::object()) : given;
  if (reader.has("rope_scaling")) {  // the older spelling
    if (!reader.at("rope_scaling").is_object())
      reader.wrong("rope_scaling", "an object", reader.at("rope_scaling"));
    full.update(reader.at("rope_scaling"));
  }
  config.ropes.push_back(rope_from_parameters(with_base(full, "rope_theta"), context));
  if (!by_type && !reader.has("rope_local_base_freq")) return;
  const Json local = by_type ? given.value("sliding_attention", Json::object()) : Json::object();
  config.ropes.push_back(rope_from_parameters(
      with_base(local, reader.has("rope_local_base_freq") ? "rope_local_base_freq" : "rope_theta"),
      context));
  for (size_t i = 0; i < slides.size(); ++i) config.layers[i].rope = slides[i] ? 1 : 0;
}

}  // namespace

DecoderConfig decoder_config_from_json(const std::string& config_json, const std::string& source) {
  Json given = parse_json(config_json, source);
  if (!given.is_object())
    fail(ErrorKind::kUserInput, "{}: the configuration must be an object", source);
  if (given.value("model_type", Json()) == "gemma3" && given.contains("text_config")) {
    Json text = given.at("text_config");  // a picture model: its language half
    if (!text.is_object())
      fail(ErrorKind::kUserInput, "{}: \"text_config\" must be an object", source);
    text["model_type"] = "gemma3_text";
    given = std::move(text);
  }
  const std::string model_type = ConfigReader(given, source).text_or("model_type", "");
  if (model_type.empty()) fail(ErrorKind::kUserInput, "{}: \"model_type\" is missing", source);
  const Family& family = find_family(model_type, source);

  Json values = Json::parse(family.defaults);
  if (given.contains("rope_theta") && given.at("rope_theta").is_null()) given.erase("rope_theta");
  values.update(given);
  const ConfigReader reader(values, source);
  DecoderConfig config;
  config.family = model_type;
  read_sizes(reader, family, config);
  read_functions(reader, family, config);
  read_layers(reader, family, config);
  return config;
}

}  // namespace toolkit::models
