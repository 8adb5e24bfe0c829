#pragma once

#include <string>
#include <vector>

#include "engine/search/space.h"
#include "projects/tune/finetune_settings.h"

namespace toolkit::tune {

/// What is searched: the settings of a YAML file, or the usual LoRA settings as far as finetune has
/// them and `fixed` does not name them. A value is a range `low..high`, with ` log` behind it for a
/// logarithmic one, or a list; `q_proj+v_proj` is one value of a list setting. `only` (empty: all)
/// keeps these. Throws Error(kUserInput) naming every setting that does not fit finetune's.
search::Space read_space(const std::string& file, const std::vector<std::string>& only,
                         const Settings& fixed, const Json& finetune_fields);

/// The point of finetune's own defaults; empty if one of them is not in the space.
search::Point default_point(const search::Space& space, const Json& finetune_fields);

/// The settings of a point.
Settings settings_of(const search::Space& space, const search::Point& point);

}  // namespace toolkit::tune
