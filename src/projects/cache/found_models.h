#pragma once

#include <string>
#include <vector>

#include "core/model_store/inventory.h"
#include "projects/cache/session.h"

namespace toolkit::cache {

/// What became of a model that lies in another program's store.
struct FoundModel {
  enum class What {
    kShown,    // a link in our store leads to it now
    kKnown,    // it was shown or ours before
    kSkipped,  // `reason`
    kGone,     // its program has it no more: our link is dropped
  };
  std::string uri, program;
  What what = What::kShown;
  std::string reason;
};

/// Shows the models of Ollama, the Hugging Face cache and LM Studio in our store: one symlink to
/// the model's folder, or a folder of symlinks where its files lie elsewhere by other names
/// (Ollama's blobs). Nothing is copied, theirs stays theirs. Small files are hashed; weights only
/// where their store says no sha256. Links to what is gone are dropped, but never while its store
/// is missing or has problems. With `dry_run` it only tells.
std::vector<FoundModel> show_found_models(Session& session,
                                          const std::vector<model_store::Inventory>& inventories,
                                          bool dry_run);

}  // namespace toolkit::cache
