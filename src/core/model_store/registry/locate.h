#pragma once

#include <filesystem>

#include "core/model_store/name.h"

namespace toolkit::model_store {

/// Where a program loads a model of the store from: its folder, or its .gguf when that is its only
/// weight. A program that is named (an absolute path) is remembered as a user of the model, best
/// effort. Throws Error(kNotFound) "hf://org/model is not in the cache: `mlx-cache add
/// hf://org/model`", also when there is no store yet.
std::filesystem::path locate_model(const ModelName& name,
                                   const std::filesystem::path& program = {});

}  // namespace toolkit::model_store
