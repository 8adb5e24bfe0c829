#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/hash/digest.h"
#include "core/model_store/name.h"

namespace toolkit::model_store {

struct FileRecord {
  std::string name;  // checked relative path
  uint64_t size_bytes = 0;
  hash::Digest digest;  // as published
  std::string sha256;   // always, computed by us
};

/// `.metadata.json` beside a model: all the registry knows of it, so that it can be rebuilt from
/// disk.
struct Metadata {
  ModelName name;
  std::string revision;       // commit or digest of the manifest
  std::string downloaded_at;  // UTC, "2026-11-21T15:44:28Z"
  std::string endpoint;       // origin it came from, no query, no token
  bool partial = false;       // patterns or a path left files of the source out
  std::vector<FileRecord> files;
  uint64_t size_bytes() const;
  /// sha256 over the sorted lines "<sha256>  <name>\n": column `checksum`.
  std::string checksum() const;
};

inline constexpr const char* kMetadataFile = ".metadata.json";

std::string to_json_text(const Metadata& metadata);
/// Throws Error(kUserInput) for anything that is not exactly such a file: unsafe or equal names,
/// sizes that do not fit, digests that are none, another version.
Metadata parse_metadata(const std::string& text, const std::string& source);

/// Where the file of a model lies: in its folder, or as `.<folder>.metadata.json` beside it when
/// the folder is one symlink into the store of another program.
std::filesystem::path metadata_path(const std::filesystem::path& model_folder);

/// Empty if the model has none; throws as parse_metadata.
std::optional<Metadata> read_metadata(const std::filesystem::path& model_folder);
void write_metadata(const std::filesystem::path& model_folder, const Metadata& metadata);

}  // namespace toolkit::model_store
