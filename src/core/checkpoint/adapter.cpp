#include "core/checkpoint/adapter.h"

#include <cmath>
#include <set>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/checkpoint/input_file.h"
#include "core/checkpoint/safetensors.h"
#include "core/checkpoint/utf8.h"

namespace toolkit::checkpoint {

namespace {

namespace fs = std::filesystem;

constexpr const char* kTensorFile = "adapters.safetensors";
constexpr const char* kConfigFile = "adapter_config.json";
constexpr const char* kConfigKey = "adapter_config";  // the same text in the tensor file's metadata
constexpr uint64_t kConfigLimit = uint64_t{16} << 20;
constexpr int kMostRank = 1 << 16;

Json config_of(const Adapter& adapter) {
  Json parameters = {
      {"rank", adapter.rank}, {"scale", adapter.scale}, {"dropout", adapter.dropout}};
  if (!adapter.keys.empty()) parameters["keys"] = adapter.keys;  // absent: every linear layer
  Json config = {{"fine_tune_type", "lora"},
                 {"num_layers", adapter.num_layers},
                 {"lora_parameters", parameters}};
  if (!adapter.base_model.empty()) config["model"] = adapter.base_model;
  return config;
}

double number(const Json& object, const char* key, double low, double high,
              const std::string& file) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number() || !(found->get<double>() >= low) ||
      !(found->get<double>() <= high))
    fail(ErrorKind::kUserInput, "{}: expected \"{}\" to be a number from {} to {}, found {}", file,
         key, low, high, found == object.end() ? "nothing" : printable(found->dump()));
  return *found;
}

int whole(const Json& object, const char* key, int low, int high, const std::string& file) {
  const double value = number(object, key, low, high, file);
  if (value != std::floor(value))
    fail(ErrorKind::kUserInput, "{}: expected \"{}\" to be a whole number, found {}", file, key,
         value);
  return static_cast<int>(value);
}

Adapter read_config(const std::string& text, const std::string& file) {
  const Json config = parse_json(text, file);
  if (!config.is_object()) fail(ErrorKind::kUserInput, "{}: expected a JSON object", file);
  if (config.contains("peft_type") && !config.contains("lora_parameters"))
    fail(ErrorKind::kUnsupported,
         "{}: this is an adapter in PEFT's layout; expected mlx-lm's (lora_parameters)", file);
  const Json type = config.contains("fine_tune_type") ? config.at("fine_tune_type") : Json("lora");
  if (type != "lora")
    fail(ErrorKind::kUnsupported, "{}: expected \"fine_tune_type\" \"lora\", found {}", file,
         printable(type.dump()));
  const auto parameters = config.find("lora_parameters");
  if (parameters == config.end() || !parameters->is_object())
    fail(ErrorKind::kUserInput, "{}: expected an object \"lora_parameters\"", file);
  Adapter adapter;
  adapter.rank = whole(*parameters, "rank", 1, kMostRank, file);
  adapter.scale = static_cast<float>(number(*parameters, "scale", -1e6, 1e6, file));
  if (parameters->contains("dropout"))
    adapter.dropout = static_cast<float>(number(*parameters, "dropout", 0.0, 1.0, file));
  if (config.contains("num_layers"))
    adapter.num_layers = whole(config, "num_layers", -1, INT32_MAX, file);
  if (const auto keys = parameters->find("keys"); keys != parameters->end() && !keys->is_null()) {
    if (!keys->is_array())
      fail(ErrorKind::kUserInput, "{}: expected \"keys\" to be a list of module paths", file);
    for (const Json& key : *keys) {
      if (!key.is_string())
        fail(ErrorKind::kUserInput, "{}: expected \"keys\" to be a list of module paths", file);
      adapter.keys.push_back(key);
    }
  }
  if (const auto model = config.find("model"); model != config.end() && model->is_string())
    adapter.base_model = *model;
  return adapter;
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text;
  for (const int64_t size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "(" + text + ")";
}

/// What is wrong with the tensors as an adapter of this rank, one line each.
std::vector<std::string> problems_of(const SafetensorsHeader& header, int rank) {
  std::vector<std::string> problems;
  for (const auto& [name, entry] : header.tensors) {
    const bool is_a = name.ends_with(".lora_a"), is_b = name.ends_with(".lora_b");
    if (!is_a && !is_b) {
      problems.push_back(printable(name, 200) + " is neither lora_a nor lora_b");
      continue;
    }
    const std::string partner = name.substr(0, name.size() - 1) + (is_a ? "b" : "a");
    if (!header.tensors.contains(partner))
      problems.push_back(printable(name, 200) + " is there without " + printable(partner, 200));
    const size_t rank_axis = is_a ? 1 : 0;
    if (entry.shape.size() != 2 || entry.shape[rank_axis] != rank || entry.shape[1 - rank_axis] < 1)
      problems.push_back(
          fmt::format("{} is {}, expected {}", printable(name, 200), shape_text(entry.shape),
                      is_a ? fmt::format("(in, {})", rank) : fmt::format("({}, out)", rank)));
    if (entry.dtype != "F32" && entry.dtype != "F16" && entry.dtype != "BF16")
      problems.push_back(
          fmt::format("{} is {}, expected F32, F16 or BF16", printable(name, 200), entry.dtype));
  }
  return problems;
}

/// The settings that belong to the tensors. A run killed between the two files leaves new tensors
/// beside an older configuration; then the copy inside the tensor file is the right one.
std::string config_text(const fs::path& folder, const SafetensorsHeader& header) {
  const fs::path path = folder / kConfigFile;
  const auto inside = header.metadata.find(kConfigKey);
  std::error_code error;
  const bool there = fs::exists(path, error);
  if (inside != header.metadata.end() &&
      (!there ||
       fs::last_write_time(path, error) < fs::last_write_time(folder / kTensorFile, error)))
    return inside->second;
  return read_text(path, kConfigLimit);
}

}  // namespace

void save_adapter(const fs::path& folder, const Adapter& adapter) {
  if (adapter.tensors.empty())
    fail(ErrorKind::kInternal, "{}: an adapter without tensors cannot be saved", folder.string());
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    fail(ErrorKind::kIo, "{}: cannot create the folder: {}", folder.string(), error.message());
  const std::string config = config_of(adapter).dump(2) + "\n";
  save_safetensors(folder / kTensorFile, adapter.tensors,
                   {{"format", "mlx"}, {kConfigKey, config}});
  write_file_atomically(folder / kConfigFile, config);
}

Adapter load_adapter(const fs::path& folder) {
  std::error_code error;
  const fs::path tensors = folder / kTensorFile;
  if (!fs::is_directory(folder, error))
    fail(ErrorKind::kNotFound, "{}: expected a folder with {} and {}", folder.string(), kTensorFile,
         kConfigFile);
  if (!fs::exists(tensors, error)) {
    if (fs::exists(folder / "adapter_model.safetensors", error))
      fail(ErrorKind::kUnsupported,
           "{}: this is an adapter in PEFT's layout; expected mlx-lm's ({} and {})",
           folder.string(), kTensorFile, kConfigFile);
    fail(ErrorKind::kNotFound, "{}: expected an adapter, found no {}", folder.string(),
         kTensorFile);
  }
  const SafetensorsHeader header = read_safetensors_header(tensors);
  Adapter adapter = read_config(config_text(folder, header), (folder / kConfigFile).string());
  std::vector<std::string> problems = problems_of(header, adapter.rank);
  if (header.tensors.empty()) problems.push_back("there are no tensors");
  if (!problems.empty()) {
    std::string list;
    const size_t shown = std::min<size_t>(problems.size(), 40);
    for (size_t i = 0; i < shown; ++i) list += "\n  " + problems[i];
    if (shown < problems.size()) list += fmt::format("\n  and {} more", problems.size() - shown);
    fail(ErrorKind::kUserInput, "{}: the tensors are no LoRA adapter of rank {}:{}",
         tensors.string(), adapter.rank, list);
  }
  for (auto& [name, tensor] : load_safetensors(tensors)) adapter.tensors.emplace(name, tensor);
  return adapter;
}

}  // namespace toolkit::checkpoint
