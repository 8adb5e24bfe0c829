#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "core/files/folder.h"

namespace toolkit::model_store::hub {

/// What publish() made for one commit in a repository's folder, kept there as
/// `.mlx-cache/<commit>.json` so that withdraw() takes back that and nothing else. Written before
/// the names it lists are made; goes with the folder when a person removes it.
struct OwnRecord {
  std::set<std::string> blobs;              // names in blobs/
  std::set<std::string> files;              // paths in the snapshot
  std::map<std::string, std::string> refs;  // name -> the commit it held before, or ""
  bool tree = false;
};

/// Empty if there is none, or none that this program could have written (then nothing is ours).
std::optional<OwnRecord> read_record(const files::Folder& repo, const std::string& commit);
void write_record(const files::Folder& repo, const std::string& commit, const OwnRecord& record);
void remove_record(const files::Folder& repo, const std::string& commit);

/// Content of a small file below the folder; empty if it is no regular file or larger.
std::optional<std::string> read_small_file(const files::Folder& folder, const std::string& path,
                                           size_t limit_bytes);

/// Writes a file readable for all by a temporary name in blobs/ that `hf cache prune` takes should
/// it be left behind, and renames it into place.
void write_in_repo(const files::Folder& repo, const std::string& path, const std::string& content);

/// "blobs/<stem>.<8 hexadecimal digits>.incomplete": huggingface_hub's own temporary names.
std::string temporary_in_blobs(const std::string& stem);

}  // namespace toolkit::model_store::hub
