#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/adapt.h"
#include "models/decode_rows.h"

namespace toolkit::engine {

/// An adapter beside the model: its branches, in the order of the model's layers.
struct LoadedAdapter {
  uint64_t id;  // never 0, never used twice
  std::string name;
  std::vector<LayerBranch> branches;
  models::BranchTable table;  // of the same branches
  int64_t bytes = 0;
};

/// Adapters by name. One that is taken off lives until the last sequence that uses it ends.
class AdapterSet {
 public:
  /// Reads, checks and keeps an adapter; one of that name is replaced. On the thread that owns the
  /// model. Throws as adapter_branches does, Error(kOutOfMemory) with the numbers.
  void load(models::Decoder& model, const std::string& name, const std::filesystem::path& folder);
  /// Throws Error(kNotFound).
  void unload(const std::string& name);
  /// Null: no such adapter.
  std::shared_ptr<const LoadedAdapter> find(const std::string& name) const;
  std::vector<std::string> names() const;
  int64_t bytes() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const LoadedAdapter>> adapters_;
  uint64_t last_id_ = 0;
};

}  // namespace toolkit::engine
