#pragma once

#include <vector>

#include "core/cli/command.h"
#include "core/model_store/name.h"

namespace toolkit::cache {

/// `add` for each of these, as a person would type it: for `repair --fetch` and `import --add`. The
/// caller holds no lock of the store.
void add_again(const std::vector<model_store::ModelName>& models, const cli::Context& context);

}  // namespace toolkit::cache
