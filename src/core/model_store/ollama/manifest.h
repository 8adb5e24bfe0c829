#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/hash/digest.h"

namespace toolkit::model_store::ollama {

struct Layer {
  std::string media_type;  // "application/vnd.ollama.image.model", ...
  hash::Digest digest;     // sha256
  uint64_t size_bytes = 0;
  std::string name;  // of tensor and file layers; not used as a path
};

struct Manifest {
  Layer config;
  std::vector<Layer> layers;
  /// The GGUF, or null (models of one blob per tensor have none).
  const Layer* model() const;
  bool one_blob_per_tensor() const;
};

/// Throws Error(kUserInput): what was expected and found; digests must be full, sizes not negative,
/// their sum must fit, at most 100 000 layers.
Manifest parse_manifest(const std::string& text, const std::string& source);
std::string to_json_text(const Manifest& manifest);

}  // namespace toolkit::model_store::ollama
