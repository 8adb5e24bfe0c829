#pragma once

#include <string>
#include <vector>

#include "engine/search/space.h"
#include "engine/trials/finetune_settings.h"

namespace toolkit::tune {

using trials::Settings;

/// What the search sets for each trial, so that it cannot be fixed; of these only the epochs can be
/// searched.
inline constexpr const char* kSetBySearch[] = {"model", "data",   "output", "seed",
                                               "steps", "epochs", "resume"};

/// What a model can take, 0 where that is not known: its layers, and the width of its narrowest
/// linear layer, which no rank exceeds.
struct ModelLimits {
  int layers = 0, narrowest = 0;
};

/// From the model's configuration alone. Throws what reading it throws.
ModelLimits model_limits(const std::string& model);

/// What is searched: the settings of a YAML file, or the usual LoRA settings as far as finetune has
/// them, `fixed` does not name them and the model can take them. A value is a range `low..high`,
/// with ` log` behind it for a logarithmic one, or a list; `q_proj+v_proj` is one value of a list
/// setting. `only` (empty: all) keeps these. Throws Error(kUserInput) naming every setting that
/// does not fit finetune's.
search::Space read_space(const std::string& file, const std::vector<std::string>& only,
                         const Settings& fixed, const Json& finetune_fields,
                         const ModelLimits& limits = {});

/// The point of finetune's own defaults, the middle of a range where finetune chooses the number
/// itself (-1); empty if one of them is not in the space.
search::Point default_point(const search::Space& space, const Json& finetune_fields);

/// The settings of a point.
Settings settings_of(const search::Space& space, const search::Point& point);

}  // namespace toolkit::tune
