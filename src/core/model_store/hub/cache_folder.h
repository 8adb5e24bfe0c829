#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/model_store/inventory.h"
#include "core/model_store/metadata.h"
#include "core/model_store/publication.h"
#include "core/model_store/settings.h"

namespace toolkit::model_store::hub {

/// What lies in the Hugging Face cache: every snapshot of every models--*--* folder; blobs as the
/// files that may be replaced (by hard link or clone only: `hf cache rm` deletes what a symlink
/// leads to). Digests come from trees/<commit>.json and blob names, as claims. The shared store
/// with the marker
/// `.huggingface-shared-blobs` is not entered; a blob that is a symlink is left alone.
Inventory read_cache(const std::filesystem::path& hub_cache);

struct Published {
  std::filesystem::path snapshot;  // what snapshot_download(local_files_only=True) returns
  std::vector<std::string> links;  // "<file>: hard link" or why it had to be a copy
  int hard_links = 0, clones = 0, copies = 0, already_there = 0;
};

/// Makes a model of our store visible to huggingface_hub: blobs/<etag> (hard link or clone, else
/// copy), snapshots/<commit>/<path> (relative symlinks), trees/<commit>.json, then refs/<revision>;
/// under the lock files that huggingface_hub takes. Existing equal files stay.
Published publish(const std::filesystem::path& hub_cache, const Metadata& metadata,
                  const std::filesystem::path& model_folder);

/// What publish() made of a model and withdraw() would take back, by its record; empty without one.
/// Its snapshot is listed as ours only if every file in it and every ref that leads to it is.
std::optional<Publication> published(const std::filesystem::path& hub_cache,
                                     const Metadata& metadata,
                                     const std::filesystem::path& model_folder);

/// Takes back what publish() made and nobody else needs: the ref, then the snapshot, then blobs
/// that no other snapshot names. What huggingface_hub had before, or names by another ref, stays;
/// so does every file where publish() left no record.
void withdraw(const std::filesystem::path& hub_cache, const Metadata& metadata,
              const std::filesystem::path& model_folder);

}  // namespace toolkit::model_store::hub
