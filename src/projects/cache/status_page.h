#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/model_store/layout.h"
#include "core/model_store/registry/registry.h"
#include "core/model_store/upkeep/verify.h"

namespace toolkit::cache {

/// What `status` knows: the registry and, with --check, what is missing on disk.
struct Status {
  model_store::Layout layout;
  bool present = false;  // the store exists
  double limit_bytes = 0;
  std::vector<model_store::ModelRecord> models;
  std::vector<model_store::AppRecord> apps;
  bool checked = false;
  std::vector<model_store::Fault> faults;

  uint64_t kept_bytes() const;  // of models that the cache itself keeps
};

std::string to_page(const Status& status, int64_t now_s, bool verbose, bool color);
/// What other programs of the suite read: keys are only ever added.
nlohmann::json to_json(const Status& status);

}  // namespace toolkit::cache
