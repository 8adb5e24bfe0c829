#pragma once

#include <filesystem>

#include "core/model_store/layout.h"
#include "core/model_store/name.h"

namespace toolkit::model_store {

/// Where a program loads a model of the store from: its folder, or its .gguf when that is its only
/// weight (of a split one the first part). The time is noted, and a program that is named (an
/// absolute path) as one that was seen with it, both best effort. Throws Error(kNotFound)
/// "hf://org/model is not in the cache: `mlx-cache add hf://org/model`", also when there is no
/// store yet, Error(kIo) for a model that `verify` found damaged.
std::filesystem::path locate_model(const Layout& layout, const ModelName& name,
                                   const std::filesystem::path& program = {});

}  // namespace toolkit::model_store
