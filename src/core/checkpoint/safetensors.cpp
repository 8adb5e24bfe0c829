#include "core/checkpoint/safetensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/checkpoint/input_file.h"
#include "core/checkpoint/new_array.h"
#include "core/checkpoint/safetensors_dtypes.h"
#include "core/checkpoint/utf8.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::checkpoint {

namespace {

mx::array read_tensor(const InputFile& file, const std::string& name,
                      const SafetensorsEntry& entry) {
  const auto dtype = mlx_dtype(entry.dtype);
  if (!dtype)
    fail(ErrorKind::kUnsupported,
         "{}: tensor '{}' has the dtype {}, which MLX does not compute with; get the model in "
         "BF16, F16, F32 or "
         "MLX's quantized form",
         file.name(), printable(name), entry.dtype);
  mx::Shape shape;
  for (const int64_t size : entry.shape) shape.push_back(static_cast<mx::ShapeElem>(size));
  NewArray result = new_array(shape, *dtype);
  file.read(entry.begin, result.data, entry.end - entry.begin);
  return result.array;
}

/// Widest values first, so that every tensor begins at a multiple of its own value size.
std::vector<std::pair<const std::string*, mx::array>> in_file_order(
    const std::map<std::string, mx::array>& tensors) {
  std::vector<std::pair<const std::string*, mx::array>> ordered;
  std::vector<mx::array> to_evaluate;
  for (const auto& [name, tensor] : tensors) {
    ordered.push_back({&name, mx::contiguous(tensor)});
    to_evaluate.push_back(ordered.back().second);
  }
  mx::eval(to_evaluate);
  std::stable_sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) {
    return a.second.itemsize() > b.second.itemsize();
  });
  return ordered;
}

}  // namespace

uint64_t PlannedTensor::size_bytes() const {
  uint64_t bytes = size_of(dtype);
  for (const auto size : shape) bytes *= static_cast<uint64_t>(size);
  return bytes;
}

std::string safetensors_start(const std::vector<PlannedTensor>& tensors,
                              const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t begin = 0;
  for (const PlannedTensor& tensor : tensors) {
    if (tensor.name == "__metadata__" || !is_utf8(tensor.name))
      fail(ErrorKind::kInternal, "a tensor cannot be named '{}'", printable(tensor.name));
    const uint64_t end = begin + tensor.size_bytes();
    header[tensor.name] = {
        {"dtype", safetensors_name(tensor.dtype)},
        {"shape", std::vector<int64_t>(tensor.shape.begin(), tensor.shape.end())},
        {"data_offsets", {begin, end}}};
    begin = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const uint64_t size = text.size();
  return std::string(reinterpret_cast<const char*>(&size), 8) + text;
}

mx::array load_safetensors_tensor(const std::filesystem::path& path, const std::string& name,
                                  const SafetensorsEntry& entry) {
  return read_tensor(InputFile(path), name, entry);
}

std::unordered_map<std::string, mx::array> load_safetensors(
    const std::filesystem::path& path, const std::function<bool(const std::string&)>& wanted) {
  const SafetensorsHeader header = read_safetensors_header(path);
  const InputFile file(path);
  std::unordered_map<std::string, mx::array> tensors;
  for (const auto& [name, entry] : header.tensors)
    if (!wanted || wanted(name)) tensors.emplace(name, read_tensor(file, name, entry));
  return tensors;
}

void save_safetensors(const std::filesystem::path& path,
                      const std::map<std::string, mx::array>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  const auto ordered = in_file_order(tensors);
  std::vector<PlannedTensor> planned;
  for (const auto& [name, tensor] : ordered)
    planned.push_back({*name, tensor.dtype(), tensor.shape()});
  const std::string header = safetensors_start(planned, metadata);
  write_file_atomically(path, [&](const auto& append) {
    append(header);
    for (const auto& [name, tensor] : ordered)
      append({tensor.template data<char>(), tensor.nbytes()});
  });
}

}  // namespace toolkit::checkpoint
