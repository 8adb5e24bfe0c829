#include "core/checkpoint/adapter.h"

#include <algorithm>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/checkpoint/adapter_config.h"
#include "core/checkpoint/adapter_tensors.h"
#include "core/checkpoint/input_file.h"
#include "core/checkpoint/safetensors.h"
#include "core/checkpoint/utf8.h"
#include "mlx/ops.h"

namespace toolkit::checkpoint {

namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigKey = "adapter_config";  // the same text in the tensor file's metadata
constexpr uint64_t kConfigLimit = uint64_t{16} << 20;

constexpr AdapterFiles kMlxFiles = {.tensors = "adapters.safetensors",
                                    .prefix = "",
                                    .a = ".lora_a",
                                    .b = ".lora_b",
                                    .m = ".m",
                                    .transposed = false};
constexpr AdapterFiles kPeftFiles = {.tensors = "adapter_model.safetensors",
                                     .prefix = "base_model.model.",
                                     .a = ".lora_A.weight",
                                     .b = ".lora_B.weight",
                                     .m = ".lora_magnitude_vector",
                                     .transposed = true};

/// The settings that belong to the tensors. A run killed between the two files leaves new tensors
/// beside an older configuration; then the copy inside the tensor file is the right one.
std::string config_text(const fs::path& folder, const fs::path& tensors,
                        const SafetensorsHeader& header) {
  const fs::path path = folder / kAdapterConfigFile;
  const auto inside = header.metadata.find(kConfigKey);
  std::error_code error;
  const bool there = fs::exists(path, error);
  if (inside != header.metadata.end() &&
      (!there || fs::last_write_time(path, error) < fs::last_write_time(tensors, error)))
    return inside->second;
  return read_text(path, kConfigLimit);
}

/// mlx-lm has one rank and one scale: ranks are padded to the largest, other scales go into b.
Adapter with_one_rank(const Adapter& adapter) {
  Adapter even = adapter;
  for (const auto& [module, rank] : adapter.rank_pattern) even.rank = std::max(even.rank, rank);
  even.rank_pattern.clear();
  even.scale_pattern.clear();
  if (adapter.scale == 0.0f) even.scale = 1.0f;
  for (auto& [name, tensor] : even.tensors) {
    const std::string module = name.substr(0, name.rfind('.'));
    const bool is_a = name.ends_with(".lora_a"), is_b = name.ends_with(".lora_b");
    if ((!is_a && !is_b) || tensor.ndim() != 2) continue;
    const int rank = adapter.rank_of(module), missing = even.rank - rank;
    if (rank != even.rank) even.rank_pattern[module] = rank;
    if (is_b && adapter.scale_of(module) != even.scale)
      tensor = mx::multiply(tensor, mx::array(adapter.scale_of(module) / even.scale));
    if (missing > 0 && tensor.shape(is_a ? 1 : 0) == rank)
      tensor =
          is_a ? mx::pad(tensor, {{0, 0}, {0, missing}}) : mx::pad(tensor, {{0, missing}, {0, 0}});
  }
  return even;
}

std::map<std::string, mx::array> peft_tensors(const Adapter& adapter) {
  std::map<std::string, mx::array> tensors;
  for (const auto& [name, tensor] : adapter.tensors) {
    const size_t dot = name.rfind('.');
    const std::string module = kPeftFiles.prefix + name.substr(0, dot), leaf = name.substr(dot);
    if (leaf == kMlxFiles.m)
      tensors.emplace(module + kPeftFiles.m, tensor);
    else
      tensors.emplace(module + (leaf == kMlxFiles.a ? kPeftFiles.a : kPeftFiles.b),
                      mx::transpose(tensor));
  }
  return tensors;
}

}  // namespace

const AdapterFiles& files_of(AdapterLayout layout) {
  return layout == AdapterLayout::kMlx ? kMlxFiles : kPeftFiles;
}

const char* adapter_method_name(AdapterMethod method) {
  return method == AdapterMethod::kLora ? "lora" : method == AdapterMethod::kDora ? "dora" : "full";
}

int Adapter::rank_of(const std::string& module) const {
  const auto found = rank_pattern.find(module);
  return found == rank_pattern.end() ? rank : found->second;
}

float Adapter::scale_of(const std::string& module) const {
  const auto found = scale_pattern.find(module);
  return found == scale_pattern.end() ? scale : found->second;
}

void save_adapter(const fs::path& folder, const Adapter& adapter, AdapterLayout layout) {
  if (adapter.tensors.empty())
    fail(ErrorKind::kInternal, "{}: an adapter without tensors cannot be saved", folder.string());
  const bool peft = layout == AdapterLayout::kPeft;
  if (peft && adapter.method == AdapterMethod::kFull)
    fail(ErrorKind::kUserInput,
         "{}: PEFT's layout holds low-rank branches, and this adapter holds whole weights; "
         "`mlx-toolkit fuse` writes it as a model",
         folder.string());
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    fail(ErrorKind::kIo, "{}: cannot create the folder: {}", folder.string(), error.message());
  const Adapter even = peft ? adapter : with_one_rank(adapter);
  const std::string config =
      (peft ? peft_adapter_config(even) : mlx_adapter_config(even)).dump(2) + "\n";
  save_safetensors(folder / files_of(layout).tensors, peft ? peft_tensors(even) : even.tensors,
                   {{"format", peft ? "pt" : "mlx"}, {kConfigKey, config}});
  write_file_atomically(folder / kAdapterConfigFile, config);
}

AdapterLayout adapter_layout_of(const fs::path& folder) {
  std::error_code error;
  const fs::path mlx = folder / kMlxFiles.tensors, peft = folder / kPeftFiles.tensors;
  if (!fs::is_directory(folder, error))
    fail(ErrorKind::kNotFound, "{}: expected a folder with an adapter: {} (mlx-lm) or {} (PEFT)",
         folder.string(), kMlxFiles.tensors, kPeftFiles.tensors);
  const bool has_mlx = fs::exists(mlx, error), has_peft = fs::exists(peft, error);
  if (has_mlx && has_peft)
    fail(ErrorKind::kUserInput, "{}: found both {} and {}: remove the one that is not wanted",
         folder.string(), kMlxFiles.tensors, kPeftFiles.tensors);
  if (has_mlx) return AdapterLayout::kMlx;
  if (has_peft) return AdapterLayout::kPeft;
  if (fs::exists(folder / "adapter_model.bin", error))
    fail(ErrorKind::kUnsupported,
         "{}: adapter_model.bin is a pickle, which can run code and is not read; save the adapter "
         "as safetensors",
         folder.string());
  fail(ErrorKind::kNotFound, "{}: expected an adapter, found no {} (mlx-lm) and no {} (PEFT)",
       folder.string(), kMlxFiles.tensors, kPeftFiles.tensors);
}

Adapter load_adapter(const fs::path& folder) {
  const AdapterLayout layout = adapter_layout_of(folder);
  const AdapterFiles& files = files_of(layout);
  const fs::path path = folder / files.tensors;
  const SafetensorsHeader header = read_safetensors_header(path);
  const std::string config_file = (folder / kAdapterConfigFile).string();
  const Json config = parse_json(config_text(folder, path, header), config_file);
  if (!config.is_object()) fail(ErrorKind::kUserInput, "{}: expected a JSON object", config_file);
  const std::vector<AdapterTensor> found = adapter_tensors(header, files);
  Adapter adapter = layout == AdapterLayout::kMlx
                        ? read_mlx_adapter_config(config, config_file)
                        : read_peft_adapter_config(config, modules_of(found), config_file);
  check_adapter_tensors(found, adapter, files, path.string());
  const auto stored = load_safetensors(path);
  for (const AdapterTensor& tensor : found)
    adapter.tensors.emplace(tensor.name,
                            as_in_memory(stored.at(tensor.stored), tensor, adapter, files));
  return adapter;
}

}  // namespace toolkit::checkpoint
