#pragma once

#include <string>
#include <vector>

#include "core/base/testing.h"
#include "core/hash/hasher.h"
#include "core/model_store/registry/registry.h"

namespace toolkit::model_store {

inline std::string sha256_of(const std::string& text) {
  return hash::hash_bytes(hash::Algorithm::kSha256,
                          {reinterpret_cast<const uint8_t*>(text.data()), text.size()})
      .hex;
}

/// For tests: a store of its own with models as `add` would leave them.
struct TestingStore {
  toolkit::testing::TestingFolder folder;
  Layout layout{folder.path / "cache"};
  Registry registry;

  TestingStore() : registry(made(layout)) {}

  /// A whole model of these files (name, content), its row included.
  ModelRecord add(const std::string& uri,
                  const std::vector<std::pair<std::string, std::string>>& files) {
    const Metadata metadata = describe_files(uri, files);
    const auto path = layout.model_folder(metadata.name);
    for (const auto& [name, content] : files)
      folder.write((path / name).lexically_relative(folder.path).string(), content);
    write_metadata(path, metadata);
    return registry.put(metadata, path, false);
  }

  static Metadata describe_files(const std::string& uri,
                                 const std::vector<std::pair<std::string, std::string>>& files) {
    Metadata metadata;
    metadata.name = parse_model_name(uri);
    metadata.revision = std::string(40, 'c');
    metadata.downloaded_at = "2026-11-21T15:44:28Z";
    metadata.endpoint = "https://huggingface.co";
    for (const auto& [name, content] : files) {
      FileRecord file;
      file.name = name;
      file.size_bytes = content.size();
      file.sha256 = sha256_of(content);
      file.digest = *hash::parse_digest(file.sha256);
      metadata.files.push_back(file);
    }
    return metadata;
  }

 private:
  static Registry made(const Layout& layout) {
    create_store(layout);
    return Registry::open(layout, store::OpenMode::kReadWrite);
  }
};

}  // namespace toolkit::model_store
