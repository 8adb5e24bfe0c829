#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/hash/digest.h"

namespace toolkit::model_store::ollama {

inline constexpr const char* kManifestType = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr const char* kConfigType = "application/vnd.docker.container.image.v1+json";
/// What the media types of layers begin with: then "model", "projector", "adapter", "template", ...
inline constexpr const char* kLayerType = "application/vnd.ollama.image.";

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
/// As Ollama writes it: one line and a line end. Its sha256 is the model's id.
std::string to_json_text(const Manifest& manifest);

/// One file of a model's folder in our store: which layer it is and how it is called there.
struct NamedLayer {
  std::string
      name;  // "model.gguf", "projector.gguf", "template", "params.json", "config.json", ...
  const Layer* layer = nullptr;
};

/// The names that the layers and the config get, unique and safe whatever the manifest says; a kind
/// that occurs again is numbered ("adapter-2.gguf"), an unknown one is called "layer-<first digits
/// of its digest>". A layer with the digest of an earlier one of its kind is left out.
std::vector<NamedLayer> named_layers(const Manifest& manifest);

/// How a manifest itself is called in a model's folder.
inline constexpr const char* kManifestFile = "manifest.json";

}  // namespace toolkit::model_store::ollama
