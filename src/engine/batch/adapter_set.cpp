#include "engine/batch/adapter_set.h"

#include "core/base/error.h"
#include "core/checkpoint/adapter.h"
#include "core/platform/hardware.h"

namespace toolkit::engine {

namespace {

int64_t tensor_bytes(const checkpoint::Adapter& adapter) {
  int64_t bytes = 0;
  for (const auto& [name, tensor] : adapter.tensors)
    bytes += static_cast<int64_t>(tensor.size() * sizeof(float));
  return bytes;
}

models::BranchTable table_of(const models::Decoder& model,
                             const std::vector<LayerBranch>& branches) {
  std::map<const nn::Linear*, tensor::RowBranch> by_layer;
  for (const LayerBranch& branch : branches) {
    tensor::RowBranch& row = by_layer[branch.layer];
    row.lora = &branch.lora;
    if (branch.dora) row.output_scale = &*branch.dora->scale;
  }
  return models::branch_table(model, by_layer);
}

}  // namespace

void AdapterSet::load(models::Decoder& model, const std::string& name,
                      const std::filesystem::path& folder) {
  const checkpoint::Adapter adapter = checkpoint::load_adapter(folder);
  const int64_t needed = tensor_bytes(adapter), there = platform::available_memory_bytes();
  if (needed > there)
    fail(ErrorKind::kOutOfMemory,
         "{}: the adapter needs {} MB of memory, {} MB are available: unload another adapter or "
         "model first",
         folder.string(), needed >> 20, there >> 20);
  auto loaded = std::make_shared<LoadedAdapter>();
  loaded->name = name;
  loaded->branches = adapter_branches(model, adapter);
  loaded->table = table_of(model, loaded->branches);
  loaded->bytes = needed;
  const std::lock_guard lock(mutex_);
  loaded->id = ++last_id_;
  adapters_[name] = std::move(loaded);
}

void AdapterSet::unload(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (adapters_.erase(name) == 0)
    fail(ErrorKind::kNotFound, "no adapter '{}' is loaded; there are: {}", name, [&] {
      std::string list;
      for (const auto& [other, adapter] : adapters_) list += (list.empty() ? "" : ", ") + other;
      return list.empty() ? "none" : list;
    }());
}

std::shared_ptr<const LoadedAdapter> AdapterSet::find(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = adapters_.find(name);
  return found == adapters_.end() ? nullptr : found->second;
}

std::vector<std::string> AdapterSet::names() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, adapter] : adapters_) names.push_back(name);
  return names;
}

int64_t AdapterSet::bytes() const {
  const std::lock_guard lock(mutex_);
  int64_t bytes = 0;
  for (const auto& [name, adapter] : adapters_) bytes += adapter->bytes;
  return bytes;
}

}  // namespace toolkit::engine
