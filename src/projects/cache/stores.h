#pragma once

#include <vector>

#include "core/model_store/inventory.h"
#include "projects/cache/session.h"

namespace toolkit::cache {

/// Everything on this machine that `sync`, `stats`, `du` and `clean` look at: our store, the
/// Hugging Face cache, Ollama, LM Studio, Jan, linked apps and folders of the settings. The one
/// place where all sources meet.
std::vector<model_store::Inventory> read_stores(Session& session);

/// Our own store as an inventory: what sharing and disk use need of it.
model_store::Inventory read_own_store(Session& session);

}  // namespace toolkit::cache
