#include <cmath>

#include "core/base/error.h"
#include "core/checkpoint/adapter_config.h"
#include "core/checkpoint/utf8.h"

namespace toolkit::checkpoint {

namespace {

AdapterMethod method_of(const Json& config, const std::string& file) {
  const auto found = config.find("fine_tune_type");
  if (found == config.end()) return AdapterMethod::kLora;
  for (const AdapterMethod method :
       {AdapterMethod::kLora, AdapterMethod::kDora, AdapterMethod::kFull})
    if (*found == adapter_method_name(method)) return method;
  fail(ErrorKind::kUnsupported,
       "{}: expected \"fine_tune_type\" \"lora\", \"dora\" or \"full\", found {}", file,
       printable(found->dump()));
}

std::vector<std::string> read_keys(const Json& parameters, const std::string& file) {
  std::vector<std::string> keys;
  const auto found = parameters.find("keys");
  if (found == parameters.end() || found->is_null()) return keys;
  const auto refuse = [&] {
    fail(ErrorKind::kUserInput, "{}: expected \"keys\" to be a list of module paths", file);
  };
  if (!found->is_array()) refuse();
  for (const Json& key : *found) {
    if (!key.is_string()) refuse();
    keys.push_back(key);
  }
  return keys;
}

void read_parameters(const Json& parameters, const std::string& file, Adapter& adapter) {
  adapter.rank = config_whole(parameters, "rank", 1, kMostRank, file);
  adapter.scale = static_cast<float>(config_number(parameters, "scale", -1e6, 1e6, file));
  if (parameters.contains("dropout"))
    adapter.dropout = static_cast<float>(config_number(parameters, "dropout", 0.0, 1.0, file));
  adapter.use_rslora = parameters.value("use_rslora", Json(false)) == true;
  adapter.keys = read_keys(parameters, file);
  const Json pattern = parameters.value("rank_pattern", Json::object());
  if (!pattern.is_object())
    fail(ErrorKind::kUserInput, "{}: expected \"rank_pattern\" to be an object", file);
  for (const auto& [module, rank] : pattern.items())
    adapter.rank_pattern[module] = config_whole(pattern, module.c_str(), 1, adapter.rank, file);
}

}  // namespace

Json mlx_adapter_config(const Adapter& adapter) {
  Json config = {{"fine_tune_type", adapter_method_name(adapter.method)},
                 {"num_layers", adapter.num_layers}};
  if (!adapter.base_model.empty()) config["model"] = adapter.base_model;
  if (adapter.method == AdapterMethod::kFull) return config;
  Json parameters = {
      {"rank", adapter.rank}, {"scale", adapter.scale}, {"dropout", adapter.dropout}};
  if (!adapter.keys.empty()) parameters["keys"] = adapter.keys;  // absent: every linear layer
  if (!adapter.rank_pattern.empty()) parameters["rank_pattern"] = adapter.rank_pattern;
  if (adapter.use_rslora) parameters["use_rslora"] = true;
  config["lora_parameters"] = parameters;
  return config;
}

Adapter read_mlx_adapter_config(const Json& config, const std::string& file) {
  if (config.contains("peft_type") && !config.contains("lora_parameters"))
    fail(ErrorKind::kUserInput,
         "{}: this is the configuration of an adapter in PEFT's layout, but the tensors are in "
         "mlx-lm's",
         file);
  Adapter adapter;
  adapter.method = method_of(config, file);
  const auto parameters = config.find("lora_parameters");
  if (adapter.method != AdapterMethod::kFull) {
    if (parameters == config.end() || !parameters->is_object())
      fail(ErrorKind::kUserInput, "{}: expected an object \"lora_parameters\"", file);
    read_parameters(*parameters, file, adapter);
  }
  if (config.contains("num_layers"))
    adapter.num_layers = config_whole(config, "num_layers", -1, INT32_MAX, file);
  if (const auto model = config.find("model"); model != config.end() && model->is_string())
    adapter.base_model = *model;
  return adapter;
}

}  // namespace toolkit::checkpoint
