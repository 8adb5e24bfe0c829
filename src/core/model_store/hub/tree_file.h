#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/hash/digest.h"
#include "core/model_store/metadata.h"

namespace toolkit::model_store::hub {

/// One line of `trees/<commit>.json`, the file list that huggingface_hub keeps per commit.
struct TreeEntry {
  uint64_t size_bytes = 0;
  hash::Digest digest;  // lfs_sha256 where it has one, else blob_id (git's sha1)
  bool operator==(const TreeEntry&) const = default;
};

/// Path -> entry. Entries that are none (no size, no digest) are left out, since the file is only a
/// hint; Error(kUserInput) when the whole is no such list or of another format_version.
std::map<std::string, TreeEntry> parse_tree_file(const std::string& json,
                                                 const std::string& source);

/// The list of a whole model as huggingface_hub writes it (format_version 1). `blob_id` of a file
/// in Git LFS is the sha1 of its pointer, made again from sha256 and size.
std::string tree_file_text(const std::vector<FileRecord>& files);

/// Git's name of the pointer that stands in the repository for a file in Git LFS
/// (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md).
hash::Digest lfs_pointer_digest(const std::string& sha256, uint64_t size_bytes);

}  // namespace toolkit::model_store::hub
