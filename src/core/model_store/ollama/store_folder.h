#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/model_store/inventory.h"
#include "core/model_store/metadata.h"
#include "core/model_store/name.h"
#include "core/model_store/ollama/manifest.h"

namespace toolkit::model_store::ollama {

/// What lies in Ollama's store: manifests/<host>/<namespace>/<model>/<tag> and the blobs they name.
/// A manifest that cannot be read is a problem, so that nothing is taken for unused. A manifest
/// that was just being written is read again before it counts as damaged.
Inventory read_store(const std::filesystem::path& ollama_models);

/// Makes a model of our store visible to Ollama: blobs/sha256-<hex> by hard link or clone (else
/// copy), each checked to be a regular file of the right size, the manifest at once after them
/// (Ollama's start removes blobs that no manifest names after an hour by their mtime, and hard
/// links bring an old one). For a plain GGUF, config and manifest are made from its header. Ollama
/// need not run.
std::string publish(const std::filesystem::path& ollama_models, const OllamaName& name,
                    const Metadata& metadata, const std::filesystem::path& model_folder);

/// Removes the manifest that publish() wrote (compared byte by byte) and then blobs that no
/// manifest names and whose inode is ours. Does nothing while any manifest cannot be read.
void withdraw(const std::filesystem::path& ollama_models, const OllamaName& name,
              const std::filesystem::path& model_folder);

}  // namespace toolkit::model_store::ollama
