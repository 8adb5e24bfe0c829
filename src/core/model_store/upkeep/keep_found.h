#pragma once

#include "core/model_store/layout.h"
#include "core/model_store/registry/registry.h"

namespace toolkit::model_store {

/// Makes a model that was found in another program's store (shown by symlinks) one that ours keeps:
/// the links become hard links, clones where that cannot be, copies at last; each content is hashed
/// first. The program may then remove its own names. A model that is kept already stays as it is.
/// Returns the row. Throws Error(kNotFound), Error(kIo) when a file changed since it was found.
ModelRecord keep_found_model(Registry& registry, const Layout& layout, const ModelName& name);

}  // namespace toolkit::model_store
