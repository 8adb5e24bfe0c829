#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/model_store/layout.h"
#include "core/model_store/registry/registry.h"

namespace toolkit::model_store {

struct Fault {
  ModelName model;
  std::string file, expected, found, next_step;
};

struct VerifyReport {
  int64_t models = 0, files = 0;
  uint64_t bytes = 0;
  std::vector<Fault> faults;  // size, digest, missing, unreadable, link that leads nowhere
};

enum class VerifyDepth { kSizes, kContents };

/// Reads every file again and compares (with kSizes: looks whether it is there in full); models
/// with faults are marked damaged or missing unless the registry is only read, whole ones ready
/// again; nothing is removed. Throws Error(kNotFound) for a name that is not in the cache.
VerifyReport verify_models(Registry& registry, const Layout& layout,
                           const std::vector<ModelName>& only, VerifyDepth depth,
                           const std::function<void(uint64_t done, uint64_t total)>& progress);

}  // namespace toolkit::model_store
