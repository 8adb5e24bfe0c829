#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/model_store/fetch/fetch.h"
#include "core/model_store/inventory.h"
#include "projects/cache/session.h"

namespace toolkit::cache {

/// Looks for wanted content in all stores of the machine, so that `add` links it instead of
/// downloading: by what a store claims, and large files without a claim by their size. Each
/// candidate is hashed (once, remembered) before it is believed.
class CopyFinder {
 public:
  CopyFinder(Session& session, std::vector<model_store::Inventory> inventories);
  std::optional<model_store::FoundCopy> operator()(const model_store::OfferedFile& file);

 private:
  struct Candidate {
    model_store::StoredFile file;
    model_store::Place place;
  };
  std::optional<model_store::FoundCopy> proven(const model_store::OfferedFile& wanted,
                                               const Candidate& candidate);
  Session& session_;
  std::map<std::string, std::vector<Candidate>> claimed_;
  std::map<uint64_t, std::vector<Candidate>> unclaimed_;  // by size
};

}  // namespace toolkit::cache
