#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/model_store/name.h"

namespace toolkit::model_store::ollama {

/// What mlx-cache made in Ollama's store for one name, in
/// <root>/.mlx-cache/<host>/<namespace>/<model>/<tag>.json, beside manifests/ and blobs/, where
/// Ollama does not look. Written before what it lists is made and removed after that is gone: a
/// writer that dies leaves nothing behind that no record knows.
struct PublicationRecord {
  /// A manifest is ours while it is the very file that was written. What Ollama pulled itself, even
  /// the same bytes over ours, has another inode or time and is never taken back.
  struct Manifest {
    std::string sha256;
    uint64_t inode = 0;
    int64_t mtime_ns = 0;
    bool operator==(const Manifest&) const = default;
  };
  std::vector<Manifest> manifests;  // two while a newer one takes the place of an older one
  std::set<std::string> blobs;      // hexadecimal digits of those made for them

  bool operator==(const PublicationRecord&) const = default;
  /// Whether the file at `manifest` with these bytes is one of ours.
  bool has(const std::filesystem::path& manifest, const std::string& bytes) const;
};

/// The manifest at `path` as a record notes it; a rename changes nothing of it.
PublicationRecord::Manifest noted(const std::filesystem::path& path, const std::string& bytes);

/// Empty if there is none, or not one as we write it.
std::optional<PublicationRecord> read_record(const std::filesystem::path& ollama_models,
                                             const OllamaName& name);
void write_record(const std::filesystem::path& ollama_models, const OllamaName& name,
                  const PublicationRecord& record);
/// With the folders above it that are empty then.
void remove_record(const std::filesystem::path& ollama_models, const OllamaName& name);
/// What a publication that ended before its first note leaves.
void remove_empty_record_folders(const std::filesystem::path& ollama_models,
                                 const OllamaName& name);

/// Removes `folder` and those above it, up to `top`, while they are empty.
void remove_empty_folders(std::filesystem::path folder, const std::filesystem::path& top);

}  // namespace toolkit::model_store::ollama
