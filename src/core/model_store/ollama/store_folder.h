#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/model_store/inventory.h"
#include "core/model_store/metadata.h"
#include "core/model_store/name.h"
#include "core/model_store/ollama/manifest.h"
#include "core/model_store/publication.h"

namespace toolkit::model_store::ollama {

/// <root>/blobs/sha256-<hex> and <root>/manifests/<host>/<namespace>/<model>/<tag>.
std::filesystem::path blob_path(const std::filesystem::path& ollama_models,
                                const hash::Digest& digest);
std::filesystem::path manifest_path(const std::filesystem::path& ollama_models,
                                    const OllamaName& name);

/// What lies in Ollama's store: manifests/<host>/<namespace>/<model>/<tag> and the blobs they name.
/// A manifest that cannot be read is a problem, so that nothing is taken for unused. A manifest
/// that was just being written is read again before it counts as damaged. Each model's files are
/// named as in our own store (named_layers) with the manifest among them; its `revision` is the
/// sha256 of the manifest, whose first digits `ollama list` shows. A model with a blob that is
/// missing or of another size says so in `not_shareable`.
Inventory read_store(const std::filesystem::path& ollama_models);

/// Hexadecimal digits of every blob that any manifest but `except` names. What cannot be read goes
/// to `problems`: the list is incomplete then.
std::set<std::string> named_blobs(const std::filesystem::path& ollama_models,
                                  const std::filesystem::path& except,
                                  std::vector<std::string>& problems);

/// Makes a model of our store visible to Ollama: blobs/sha256-<hex> by hard link or clone (else
/// copy), each checked to be a regular file of the right size, the manifest at once after them
/// (Ollama's start removes blobs that no manifest names after an hour by their mtime, and hard
/// links bring an old one). A model that came from a registry keeps its manifest byte for byte; for
/// `gguf` (a file of the folder, with `projector` beside it or empty) config, template and manifest
/// are made from its header. A blob that is there already counts after it was hashed; a damaged one
/// is replaced by the right one. Another model that Ollama has under the name is left alone; what
/// is made is noted in <root>/.mlx-cache/. Ollama need not run. Returns what was done: "2 hard
/// link". Throws Error(kUserInput | kIo): what is missing in the folder, a store that cannot be
/// written.
std::string publish(const std::filesystem::path& ollama_models, const OllamaName& name,
                    const Metadata& metadata, const std::filesystem::path& model_folder,
                    const std::string& gguf = {}, const std::string& projector = {});

/// What publish() made under this name and withdraw() would take back, by its record; empty without
/// one, or where Ollama wrote the manifest since. Reads no weights.
std::optional<Publication> published(const std::filesystem::path& ollama_models,
                                     const OllamaName& name, const Metadata& metadata,
                                     const std::filesystem::path& model_folder);

/// Removes the manifest that publish() wrote (by its record, compared byte by byte; what Ollama
/// pulled itself stays) and then blobs that no manifest names and which publish() made or whose
/// inode is ours. Does nothing while any manifest cannot be read. Parameters as for publish().
/// Returns whether the manifest was removed.
bool withdraw(const std::filesystem::path& ollama_models, const OllamaName& name,
              const Metadata& metadata, const std::filesystem::path& model_folder,
              const std::string& gguf = {}, const std::string& projector = {});

}  // namespace toolkit::model_store::ollama
