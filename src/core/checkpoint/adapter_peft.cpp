#include <algorithm>
#include <cmath>
#include <set>

#include "core/base/error.h"
#include "core/checkpoint/adapter_config.h"
#include "core/checkpoint/utf8.h"

namespace toolkit::checkpoint {

namespace {

double alpha_of(double scale, int rank, bool use_rslora) {
  const double alpha = scale * (use_rslora ? std::sqrt(rank) : static_cast<double>(rank));
  const double whole = std::round(alpha);  // scale is f32: 15.9999995 was 16
  return std::abs(alpha - whole) < 1e-6 * std::abs(alpha) ? whole : alpha;
}

float scale_of_alpha(double alpha, int rank, bool use_rslora) {
  return static_cast<float>(alpha / (use_rslora ? std::sqrt(rank) : static_cast<double>(rank)));
}

Json shortest(double value) {
  return value == std::floor(value) && std::abs(value) < 1e15 ? Json(static_cast<int64_t>(value))
                                                              : Json(value);
}

/// PEFT matches a pattern's key as a regular expression at the end of a path; what people and tools
/// write are plain paths, perhaps with `^`, `$` and escaped dots.
std::string plain_path(std::string key, const char* pattern, const std::string& file) {
  if (key.starts_with("^")) key.erase(0, 1);
  if (key.ends_with("$")) key.pop_back();
  std::string plain;
  for (size_t i = 0; i < key.size(); ++i)
    if (key[i] != '\\' || i + 1 == key.size() || key[i + 1] != '.') plain += key[i];
  if (plain.empty() || plain.find_first_of("\\*+?()[]{}|^$") != std::string::npos)
    fail(ErrorKind::kUnsupported,
         "{}: \"{}\" names modules by the regular expression {}; only paths are read "
         "(\"model.layers.0.self_attn.q_proj\" or its end)",
         file, pattern, printable(key));
  return plain;
}

bool names(const std::string& plain, const std::string& module) {
  return module == plain || module.ends_with("." + plain);
}

/// What a pattern says of each module; the first key that matches counts, as in PEFT.
std::map<std::string, double> resolved(const Json& config, const char* pattern, double low,
                                       double high, const std::vector<std::string>& modules,
                                       const std::string& file) {
  std::map<std::string, double> values;
  const auto found = config.find(pattern);
  if (found == config.end() || found->is_null()) return values;
  if (!found->is_object())
    fail(ErrorKind::kUserInput, "{}: expected \"{}\" to be an object", file, pattern);
  for (const auto& [key, value] : found->items()) {
    const std::string plain = plain_path(key, pattern, file);
    const double number = config_number(*found, key.c_str(), low, high, file);
    for (const std::string& module : modules)
      if (names(plain, module)) values.emplace(module, number);
  }
  return values;
}

/// Settings that change what the tensors mean, with the values that leave it alone.
void refuse_other_arithmetic(const Json& config, const std::string& file) {
  const auto type = config.find("peft_type");
  if (type == config.end() || *type != "LORA")
    fail(ErrorKind::kUnsupported, "{}: expected \"peft_type\" \"LORA\", found {}", file,
         type == config.end() ? "nothing" : printable(type->dump()));
  const auto is_off = [](const Json& value) {
    return value.is_null() || value == false || value == "none" ||
           (value.is_structured() && value.empty());
  };
  for (const char* key :
       {"fan_in_fan_out", "bias", "lora_bias", "modules_to_save", "layer_replication",
        "trainable_token_indices", "alora_invocation_tokens", "target_parameters", "use_qalora",
        "use_bdlora", "arrow_config", "monteclora_config"})
    if (config.contains(key) && !is_off(config.at(key)))
      fail(ErrorKind::kUnsupported, "{}: \"{}\": {} is not supported", file, key,
           printable(config.at(key).dump()));
  const Json start = config.value("init_lora_weights", Json(true));
  if (start.is_string() && (start.get<std::string>().starts_with("pissa") || start == "olora" ||
                            start == "corda" || start == "loftq"))
    fail(ErrorKind::kUnsupported,
         "{}: \"init_lora_weights\": {} changed the base model's weights, so the tensors fit only "
         "that changed model; save it as a plain LoRA "
         "(save_pretrained with path_initial_model_for_weight_conversion)",
         file, start.dump());
}

std::vector<std::string> read_targets(const Json& config, const std::string& file) {
  std::vector<std::string> targets;
  const auto found = config.find("target_modules");
  // A text is a regular expression or "all-linear": the tensors then tell what it chose.
  if (found == config.end() || !found->is_array()) return targets;
  for (const Json& target : *found) {
    if (!target.is_string())
      fail(ErrorKind::kUserInput, "{}: expected \"target_modules\" to be module names, found {}",
           file, printable(target.dump()));
    targets.push_back(target);
  }
  return targets;
}

/// Layer-relative paths, in the order of the modules.
std::vector<std::string> keys_of(const std::vector<std::string>& modules) {
  std::vector<std::string> keys;
  for (const std::string& module : modules)
    if (const std::string key = path_in_layer(module);
        std::find(keys.begin(), keys.end(), key) == keys.end())
      keys.push_back(key);
  return keys;
}

void check_targets(const std::vector<std::string>& targets, const std::vector<std::string>& modules,
                   const std::string& file) {
  std::string missing;
  for (const std::string& target : targets)
    if (std::none_of(modules.begin(), modules.end(),
                     [&](const std::string& module) { return names(target, module); }))
      missing += "\n  " + printable(target, 200);
  if (!missing.empty())
    fail(ErrorKind::kUserInput, "{}: there are no tensors for these of its \"target_modules\":{}",
         file, missing);
}

/// "target_modules" and "layers_to_transform": the last parts of the paths, in all layers or in
/// those listed; whole paths where a list of layers would shut out what lies outside of layers.
std::pair<std::set<std::string>, Json> chosen_modules(const std::set<std::string>& modules,
                                                      int num_layers) {
  std::set<std::string> targets;
  std::set<int> layers;
  for (const std::string& module : modules) {
    layers.insert(layer_of(module));
    targets.insert(module.substr(module.rfind('.') + 1));
  }
  const bool outside = layers.erase(-1) > 0;
  const bool all =
      num_layers < 0 && (layers.empty() || *layers.rbegin() + 1 == static_cast<int>(layers.size()));
  if (all) return {targets, nullptr};
  if (outside) return {modules, nullptr};
  return {targets, layers};
}

}  // namespace

Json peft_adapter_config(const Adapter& adapter) {
  std::set<std::string> modules;
  for (const auto& [name, tensor] : adapter.tensors)
    modules.insert(name.substr(0, name.rfind('.')));
  const double alpha =
      alpha_of(static_cast<double>(adapter.scale), adapter.rank, adapter.use_rslora);
  Json ranks = Json::object(), alphas = Json::object();
  for (const std::string& module : modules) {
    const int rank = adapter.rank_of(module);
    const double own =
        alpha_of(static_cast<double>(adapter.scale_of(module)), rank, adapter.use_rslora);
    if (rank != adapter.rank) ranks[module] = rank;
    if (own != alpha) alphas[module] = shortest(own);
  }
  const auto [targets, which] = chosen_modules(modules, adapter.num_layers);
  return {
      {"peft_type", "LORA"},
      {"task_type", "CAUSAL_LM"},
      {"base_model_name_or_path", adapter.base_model.empty() ? Json() : Json(adapter.base_model)},
      {"r", adapter.rank},
      {"lora_alpha", shortest(alpha)},
      {"lora_dropout", adapter.dropout},
      {"target_modules", targets},
      {"layers_to_transform", which},
      {"rank_pattern", ranks},
      {"alpha_pattern", alphas},
      {"use_dora", adapter.method == AdapterMethod::kDora},
      {"use_rslora", adapter.use_rslora},
      {"bias", "none"},
      {"fan_in_fan_out", false},
      {"init_lora_weights", true},
      {"inference_mode", true},
      {"modules_to_save", nullptr}};
}

Adapter read_peft_adapter_config(const Json& config, const std::vector<std::string>& modules,
                                 const std::string& file) {
  refuse_other_arithmetic(config, file);
  Adapter adapter;
  const auto flag = [&](const char* key) { return config.value(key, Json(false)) == true; };
  adapter.method = flag("use_dora") ? AdapterMethod::kDora : AdapterMethod::kLora;
  adapter.use_rslora = flag("use_rslora");
  adapter.rank = config_whole(config, "r", 1, kMostRank, file);
  const double alpha = config_number(config, "lora_alpha", -1e9, 1e9, file);
  adapter.scale = scale_of_alpha(alpha, adapter.rank, adapter.use_rslora);
  if (config.contains("lora_dropout"))
    adapter.dropout = static_cast<float>(config_number(config, "lora_dropout", 0.0, 1.0, file));
  if (const auto model = config.find("base_model_name_or_path");
      model != config.end() && model->is_string())
    adapter.base_model = *model;
  const auto ranks = resolved(config, "rank_pattern", 1, kMostRank, modules, file);
  const auto alphas = resolved(config, "alpha_pattern", -1e9, 1e9, modules, file);
  for (const std::string& module : modules) {
    if (const auto own = ranks.find(module); own != ranks.end())
      if (const int rank = static_cast<int>(own->second); rank != adapter.rank)
        adapter.rank_pattern[module] = rank;
    const auto own = alphas.find(module);
    const float scale = scale_of_alpha(own == alphas.end() ? alpha : own->second,
                                       adapter.rank_of(module), adapter.use_rslora);
    if (scale != adapter.scale) adapter.scale_pattern[module] = scale;
  }
  check_targets(read_targets(config, file), modules, file);
  adapter.keys = keys_of(modules);
  return adapter;
}

}  // namespace toolkit::checkpoint
