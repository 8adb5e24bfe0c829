#pragma once

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "core/base/atomic_file.h"
#include "mlx/mlx.h"
#include "models/decoder.h"
#include "models/testing/memory_files.h"

namespace toolkit::engine::testing {

using Arrays = std::unordered_map<std::string, mx::array>;

inline Arrays arrays_of(const std::filesystem::path& file) {
  return mx::load_safetensors(file.string()).first;
}

/// The model of a fixture's folder, all its model*.safetensors, in f32.
inline std::unique_ptr<models::Decoder> load_fixture(const std::filesystem::path& folder) {
  std::map<std::string, mx::array> tensors;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("model") || !name.ends_with(".safetensors")) continue;
    for (auto& [key, array] : arrays_of(entry.path())) tensors.emplace(key, array);
  }
  return models::load_decoder(
      models::testing::MemoryFiles(read_file(folder / "config.json"), tensors),
      tensor::Compute::kFloat32);
}

/// The largest difference, relative to the largest number expected.
inline float relative_difference(const mx::array& found, const mx::array& expected) {
  const float size = mx::max(mx::abs(expected)).item<float>();
  return models::testing::largest_difference(found, expected) / std::max(size, 1e-6f);
}

}  // namespace toolkit::engine::testing
