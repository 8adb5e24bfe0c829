#pragma once

#include <string>
#include <vector>

#include "core/model_store/layout.h"

namespace toolkit::model_store {

/// Folders whose writer died between two steps (models/.<folder>.new, .old, .gone) brought to an
/// end: a whole .new takes the place of a folder that is not there, else an .old comes back; what
/// is left over is removed. Models somebody works on (their lock is held) are left alone. Returns a
/// line for each; with `dry_run` nothing is changed.
std::vector<std::string> finish_half_published(const Layout& layout, bool dry_run);

}  // namespace toolkit::model_store
