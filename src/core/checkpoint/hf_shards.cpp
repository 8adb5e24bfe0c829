#include "core/checkpoint/hf_shards.h"

#include <algorithm>
#include <set>
#include <vector>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/checkpoint/input_file.h"
#include "core/checkpoint/utf8.h"

namespace toolkit::checkpoint {

namespace {

namespace fs = std::filesystem;

constexpr size_t kIndexLimit = size_t{64} << 20;

/// The names of the folder's own files, sorted.
std::vector<std::string> file_names(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error))
    names.push_back(entry->path().filename().string());
  if (error)
    fail(ErrorKind::kIo, "{}: the folder cannot be read: {}", folder.string(), error.message());
  std::sort(names.begin(), names.end());
  return names;
}

/// tensor name -> file name, as the index says, once the file names are known to be harmless.
std::map<std::string, std::string> read_index(const fs::path& path) {
  const Json index = parse_json(read_text(path, kIndexLimit), path.string());
  if (!index.is_object() || !index.contains("weight_map") || !index.at("weight_map").is_object())
    fail(ErrorKind::kUserInput, "{}: expected an object \"weight_map\" of tensor and file names",
         path.string());
  std::map<std::string, std::string> files;
  for (const auto& [tensor, file] : index.at("weight_map").items()) {
    if (!file.is_string())
      fail(ErrorKind::kUserInput, "{}: expected a file name for '{}', found {}", path.string(),
           printable(tensor), printable(file.dump()));
    const std::string& name = file.get_ref<const std::string&>();
    if (name.find_first_of(std::string("/\\\0", 3)) != std::string::npos ||
        !name.ends_with(".safetensors"))
      fail(ErrorKind::kUserInput,
           "{}: expected the name of a .safetensors file in the same folder for '{}', found '{}'",
           path.string(), printable(tensor), printable(name));
    files.emplace(tensor, name);
  }
  if (files.empty()) fail(ErrorKind::kUserInput, "{}: \"weight_map\" is empty", path.string());
  return files;
}

std::map<std::string, PlacedTensor> read_headers(const fs::path& folder,
                                                 const std::set<std::string>& files) {
  std::map<std::string, PlacedTensor> tensors;
  for (const std::string& file : files) {
    const fs::path path = folder / file;
    for (auto& [name, entry] : read_safetensors_header(path).tensors) {
      const auto [place, is_new] = tensors.emplace(name, PlacedTensor{path, std::move(entry)});
      if (!is_new)
        fail(ErrorKind::kUserInput,
             "{}: tensor '{}' stands in {} too; remove the file that does not belong there",
             path.string(), printable(name), place->second.file.string());
    }
  }
  return tensors;
}

/// Says what the folder holds instead of weights that can be read.
[[noreturn]] void fail_without_weights(const fs::path& folder,
                                       const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (name == "adapters.safetensors" || name == "adapter_model.safetensors")
      fail(ErrorKind::kUserInput,
           "{}: expected a model, found an adapter ({}); name the base model, and this folder as "
           "the adapter",
           folder.string(), name);
    if (name.ends_with(".gguf"))
      fail(ErrorKind::kUserInput, "{}: expected safetensors files, found {}; name that file itself",
           folder.string(), (folder / name).string());
  }
  for (const std::string& name : names)
    for (const char* ending : {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack"})
      if (name.ends_with(ending))
        fail(ErrorKind::kUnsupported,
             "{}: the weights are in {}, a format that can run code when it is opened and is not "
             "read here; get "
             "the model as safetensors, or convert it with transformers: save_pretrained(..., "
             "safe_serialization=True)",
             folder.string(), name);
  fail(ErrorKind::kNotFound,
       "{}: expected model.safetensors or model-00001-of-....safetensors, found none",
       folder.string());
}

}  // namespace

std::map<std::string, PlacedTensor> find_tensors(const fs::path& folder) {
  const std::vector<std::string> names = file_names(folder);
  const auto is_there = [&](const std::string& name) {
    return std::binary_search(names.begin(), names.end(), name);
  };
  const std::string index = "model.safetensors.index.json";
  if (is_there(index)) {
    const auto map = read_index(folder / index);
    std::set<std::string> files;
    for (const auto& [tensor, file] : map) files.insert(file);
    for (const std::string& file : files)
      if (!is_there(file))
        fail(ErrorKind::kNotFound,
             "{}: the index names {}, which is not in the folder; download it too",
             (folder / index).string(), printable(file));
    auto tensors = read_headers(folder, files);
    for (const auto& [tensor, file] : map) {
      const auto found = tensors.find(tensor);
      if (found == tensors.end() || found->second.file.filename() != file)
        fail(ErrorKind::kUserInput, "{}: the index says '{}' is in {}, but it is not",
             (folder / index).string(), printable(tensor), printable(file));
    }
    return tensors;
  }
  if (is_there("model.safetensors")) return read_headers(folder, {"model.safetensors"});
  std::set<std::string> files;
  for (const std::string& name : names)
    if (name.starts_with("model") && name.ends_with(".safetensors")) files.insert(name);
  if (files.empty()) fail_without_weights(folder, names);
  return read_headers(folder, files);
}

}  // namespace toolkit::checkpoint
