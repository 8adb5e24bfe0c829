#include "core/files/folder.h"
#include "core/files/identity.h"
#include "core/model_store/hub/cache_folder.h"
#include "core/model_store/hub/own_record.h"
#include "core/model_store/hub/repo_folder.h"

namespace toolkit::model_store::hub {

namespace fs = std::filesystem;

namespace {

/// Whether `visit` is true for every file and symlink below; a folder that cannot be read may hold
/// anything, one that is not there holds nothing.
template <class Visit>
bool all_below(const fs::path& folder, const Visit& visit) {
  std::error_code trouble;
  for (fs::recursive_directory_iterator entry(folder, trouble), end; !trouble && entry != end;
       entry.increment(trouble)) {
    std::error_code unknown;
    if (fs::is_directory(fs::symlink_status(entry->path(), unknown))) continue;
    if (!visit(entry->path().lexically_relative(folder).generic_string())) return false;
  }
  return !trouble || trouble == std::errc::no_such_file_or_directory;
}

/// Nobody else put a file into the snapshot or a ref on it.
bool is_all_ours(const files::Folder& repo, const std::string& commit, const OwnRecord& record) {
  return all_below(repo.path() / "snapshots" / commit,
                   [&](const std::string& name) {
                     return fs::path(name).filename() == ".DS_Store" || record.files.contains(name);
                   }) &&
         all_below(repo.path() / "refs", [&](const std::string& name) {
           return record.refs.contains(name) ||
                  read_small_file(repo, "refs/" + name, 1024).value_or(commit) != commit;
         });
}

}  // namespace

std::optional<Publication> published(const fs::path& hub_cache, const Metadata& metadata,
                                     const fs::path& model_folder) {
  const HubName name = hub_name(metadata.name);
  const fs::path folder =
      fs::absolute(hub_cache).lexically_normal() / repo_folder_name(name.repository);
  std::error_code trouble;
  if (!is_commit(metadata.revision) || !fs::is_directory(folder, trouble)) return std::nullopt;
  const files::Folder repo = files::Folder::open(folder);
  const auto record = read_record(repo, metadata.revision);
  if (!record) return std::nullopt;
  Publication publication{.place = Place::kHub, .name = metadata.name.identifier};
  const fs::path snapshot = folder / "snapshots" / metadata.revision;
  if (fs::is_directory(snapshot, trouble) && is_all_ours(repo, metadata.revision, *record))
    publication.listing = snapshot;
  for (const FileRecord& file : metadata.files) {
    if (!record->blobs.contains(file.digest.hex)) continue;
    const auto blob = repo.find("blobs/" + file.digest.hex);
    const auto own = files::identity_of(model_folder / file.name);
    const bool same = blob && own && files::same_file(*blob, *own);
    if (same ||
        (blob && blob->kind == files::FileKind::kFile && blob->size_bytes == file.size_bytes))
      publication.files.push_back({folder / "blobs" / file.digest.hex, file.name});
  }
  return publication;
}

}  // namespace toolkit::model_store::hub
