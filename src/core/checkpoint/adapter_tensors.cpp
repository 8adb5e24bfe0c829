#include "core/checkpoint/adapter_tensors.h"

#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "core/checkpoint/utf8.h"
#include "mlx/ops.h"

namespace toolkit::checkpoint {

namespace {

using Role = AdapterTensor::Role;

constexpr const char* kLayerMark = "layers.";

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text;
  for (const int64_t size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "(" + text + ")";
}

/// Collects what is wrong, one line each.
class Checker {
 public:
  Checker(const std::vector<AdapterTensor>& tensors, const Adapter& adapter,
          const AdapterFiles& files)
      : tensors_(tensors), adapter_(adapter), files_(files) {
    for (const AdapterTensor& tensor : tensors) names_.insert(tensor.name);
  }

  std::vector<std::string> problems() {
    if (tensors_.empty()) add("there are no tensors");
    for (const AdapterTensor& tensor : tensors_) check(tensor);
    if (adapter_.method != AdapterMethod::kFull) check_every_key();
    return problems_;
  }

 private:
  void add(std::string problem) { problems_.push_back(std::move(problem)); }

  std::string stored(const std::string& module, const char* ending) const {
    return printable(files_.prefix + module + ending, 200);
  }

  void check(const AdapterTensor& tensor) {
    const std::string name = printable(tensor.stored, 200);
    const bool full = adapter_.method == AdapterMethod::kFull;
    const bool weight = tensor.role == Role::kWeight || tensor.role == Role::kBias;
    const bool magnitude = tensor.role == Role::kMagnitude;
    if (tensor.role == Role::kUnknown || weight != full ||
        (magnitude && adapter_.method != AdapterMethod::kDora)) {
      add(name + " is not part of a " + adapter_method_name(adapter_.method) + " adapter");
      return;
    }
    if (tensor.entry.dtype != "F32" && tensor.entry.dtype != "F16" && tensor.entry.dtype != "BF16")
      add(fmt::format("{} is {}, expected F32, F16 or BF16", name, tensor.entry.dtype));
    if (full) return;
    check_partners(tensor, name);
    check_shape(tensor, name);
  }

  void check_partners(const AdapterTensor& tensor, const std::string& name) {
    const auto want = [&](const char* leaf, const char* ending) {
      if (!names_.contains(tensor.module + leaf))
        add(name + " is there without " + stored(tensor.module, ending));
    };
    if (tensor.role != Role::kA) want(".lora_a", files_.a);
    if (tensor.role == Role::kA) want(".lora_b", files_.b);
    if (tensor.role == Role::kA && adapter_.method == AdapterMethod::kDora) want(".m", files_.m);
  }

  void check_shape(const AdapterTensor& tensor, const std::string& name) {
    const auto& shape = tensor.entry.shape;
    if (tensor.role == Role::kMagnitude) {
      if (shape.size() != 1 || shape[0] < 1)
        add(fmt::format("{} is {}, expected (out)", name, shape_text(shape)));
      return;
    }
    // mlx-lm's files have one rank, with zeros where a module's own is smaller.
    const int rank = files_.transposed ? adapter_.rank_of(tensor.module) : adapter_.rank;
    const bool is_a = tensor.role == Role::kA;
    const size_t rank_axis = is_a != files_.transposed ? 1 : 0;
    if (shape.size() == 2 && shape[rank_axis] == rank && shape[1 - rank_axis] >= 1) return;
    const char* side = is_a ? "in" : "out";
    add(fmt::format("{} is {}, expected {}", name, shape_text(shape),
                    rank_axis == 1 ? fmt::format("({}, {})", side, rank)
                                   : fmt::format("({}, {})", rank, side)));
  }

  /// What is adapted in one layer is adapted in each that the adapter reaches.
  void check_every_key() {
    std::set<std::string> layers, inside;  // "model.layers.0", "mlp.up_proj"
    for (const AdapterTensor& tensor : tensors_) {
      if (tensor.role == Role::kUnknown || layer_of(tensor.module) < 0) continue;
      inside.insert(path_in_layer(tensor.module));
      layers.insert(
          tensor.module.substr(0, tensor.module.size() - path_in_layer(tensor.module).size() - 1));
    }
    for (const std::string& key : adapter_.keys)
      if (!inside.contains(key) && !names_.contains(key + ".lora_a"))
        add("no tensors for the module " + printable(key, 200) + " of its configuration");
    for (const std::string& layer : layers)
      for (const std::string& key : inside) {
        const std::string module = layer + "." + key;
        if (!names_.contains(module + ".lora_a") && !names_.contains(module + ".lora_b"))
          add(stored(module, files_.a) + " is missing: other layers have it");
      }
  }

  const std::vector<AdapterTensor>& tensors_;
  const Adapter& adapter_;
  const AdapterFiles& files_;
  std::set<std::string> names_;
  std::vector<std::string> problems_;
};

}  // namespace

std::string path_in_layer(const std::string& module) {
  const size_t mark = module.find(kLayerMark);
  if (mark == std::string::npos) return module;
  const size_t dot = module.find('.', mark + std::string(kLayerMark).size());
  return dot == std::string::npos ? module : module.substr(dot + 1);
}

int layer_of(const std::string& module) {
  const size_t mark = module.find(kLayerMark);
  if (mark == std::string::npos) return -1;
  const size_t begin = mark + std::string(kLayerMark).size(), end = module.find('.', begin);
  if (end == std::string::npos || end == begin || end - begin > 6) return -1;
  const std::string number = module.substr(begin, end - begin);
  return number.find_first_not_of("0123456789") == std::string::npos ? std::stoi(number) : -1;
}

std::vector<AdapterTensor> adapter_tensors(const SafetensorsHeader& header,
                                           const AdapterFiles& files) {
  struct Ending {
    std::string stored, name;
    Role role;
  };
  const std::vector<Ending> endings = {{files.a, ".lora_a", Role::kA},
                                       {files.b, ".lora_b", Role::kB},
                                       {files.m, ".m", Role::kMagnitude},
                                       {".weight", ".weight", Role::kWeight},
                                       {".bias", ".bias", Role::kBias}};
  const std::string prefix = files.prefix;
  std::vector<AdapterTensor> tensors;
  for (const auto& [stored, entry] : header.tensors) {
    AdapterTensor tensor{.stored = stored, .module = stored, .name = stored, .entry = entry};
    for (const Ending& ending : endings) {
      if (!stored.starts_with(prefix) || !stored.ends_with(ending.stored) ||
          stored.size() <= prefix.size() + ending.stored.size())
        continue;
      tensor.role = ending.role;
      tensor.module =
          stored.substr(prefix.size(), stored.size() - prefix.size() - ending.stored.size());
      tensor.name = tensor.module + ending.name;
      break;
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

std::vector<std::string> modules_of(const std::vector<AdapterTensor>& tensors) {
  std::vector<std::string> modules;
  for (const AdapterTensor& tensor : tensors)
    if (tensor.role == Role::kA) modules.push_back(tensor.module);
  std::stable_sort(modules.begin(), modules.end(),
                   [](const auto& a, const auto& b) { return layer_of(a) < layer_of(b); });
  return modules;
}

void check_adapter_tensors(const std::vector<AdapterTensor>& tensors, const Adapter& adapter,
                           const AdapterFiles& files, const std::string& file) {
  const std::vector<std::string> problems = Checker(tensors, adapter, files).problems();
  if (problems.empty()) return;
  std::string list;
  const size_t shown = std::min<size_t>(problems.size(), 40);
  for (size_t i = 0; i < shown; ++i) list += "\n  " + problems[i];
  if (shown < problems.size()) list += fmt::format("\n  and {} more", problems.size() - shown);
  fail(ErrorKind::kUserInput, "{}: the tensors are no {} adapter{}:{}", file,
       adapter_method_name(adapter.method),
       adapter.method == AdapterMethod::kFull ? "" : fmt::format(" of rank {}", adapter.rank),
       list);
}

mx::array as_in_memory(const mx::array& stored, const AdapterTensor& tensor, const Adapter& adapter,
                       const AdapterFiles& files) {
  if (tensor.role != Role::kA && tensor.role != Role::kB) return stored;
  if (files.transposed) return mx::contiguous(mx::transpose(stored));
  const int rank = adapter.rank_of(tensor.module), axis = tensor.role == Role::kA ? 1 : 0;
  if (rank >= stored.shape(axis)) return stored;
  const std::vector<mx::array> parts = mx::split(stored, mx::Shape{rank}, axis);
  if (mx::any(mx::not_equal(parts[1], mx::array(0.0f))).item<bool>())
    fail(ErrorKind::kUserInput,
         "{}: expected zeros beyond rank {}, which \"rank_pattern\" gives this module",
         printable(tensor.stored, 200), rank);
  return mx::contiguous(parts[0]);
}

}  // namespace toolkit::checkpoint
