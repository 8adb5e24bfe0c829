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

/// Reads every file again and compares; damaged models are marked, nothing is removed.
VerifyReport verify_models(Registry& registry, const Layout& layout,
                           const std::vector<ModelName>& only,
                           const std::function<void(uint64_t done, uint64_t total)>& progress);

}  // namespace toolkit::model_store
