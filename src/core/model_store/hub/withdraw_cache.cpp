#include <algorithm>

#include "core/files/folder.h"
#include "core/files/identity.h"
#include "core/model_store/hub/cache_folder.h"
#include "core/model_store/hub/own_record.h"
#include "core/model_store/hub/repo_folder.h"

namespace toolkit::model_store::hub {

namespace fs = std::filesystem;

namespace {

using files::FileKind;

// Only a name with nothing in it goes; whatever another program put there stays.
void remove_if_empty(const fs::path& folder) {
  std::error_code ignored;
  if (fs::is_directory(fs::symlink_status(folder, ignored))) fs::remove(folder, ignored);
}

void remove_empty_repo(const fs::path& repo) {
  for (const char* folder : {"trees", "refs", "blobs", kOwnRecordsFolder, "snapshots"})
    remove_if_empty(repo / folder);
  remove_if_empty(repo);
}

// What a publication that ended before its first note leaves.
bool holds_only_folders(const fs::path& repo) {
  std::error_code trouble;
  for (fs::recursive_directory_iterator entry(repo, trouble), end; !trouble && entry != end;
       entry.increment(trouble))
    if (!fs::is_directory(fs::symlink_status(entry->path(), trouble))) return false;
  return !trouble;
}

class Withdrawal {
 public:
  Withdrawal(files::Folder repo, const Metadata& metadata, const fs::path& model_folder,
             OwnRecord record)
      : repo_(std::move(repo)),
        commit_(metadata.revision),
        ref_(hub_name(metadata.name).revision),
        record_(std::move(record)) {
    for (const FileRecord& file : metadata.files) {
      const auto own = files::identity_of(model_folder / file.name);
      if (own) own_[file.digest.hex] = *own;
      sizes_[file.digest.hex] = file.size_bytes;
      etags_[file.name] = file.digest.hex;
    }
  }

  void run() {
    take_ref();
    if (named_by_a_ref()) return write_record(repo_, commit_, record_);
    take_snapshot();
    std::set<std::string> kept;
    for (const std::string& blob : record_.blobs) {
      if (!is_ours("blobs/" + blob, blob)) continue;
      if (used_elsewhere(blob)) {
        kept.insert(blob);
      } else {
        repo_.remove_file("blobs/" + blob);
      }
    }
    hand_over(kept);
    remove_record(repo_, commit_);
    remove_empty_repo(repo_.path());
    // What others left there must still look like a repository to huggingface_hub.
    std::error_code ignored;
    if (fs::is_directory(repo_.path(), ignored)) repo_.subfolder("snapshots", true);
  }

 private:
  // A blob that another commit of ours shares goes with that one.
  void hand_over(const std::set<std::string>& blobs) {
    if (blobs.empty()) return;
    std::error_code trouble;
    for (fs::directory_iterator entry(repo_.path() / kOwnRecordsFolder, trouble), end;
         !trouble && entry != end; entry.increment(trouble)) {
      const std::string other = entry->path().stem().string();
      if (other == commit_ || !is_commit(other)) continue;
      if (auto record = read_record(repo_, other)) {
        record->blobs.insert(blobs.begin(), blobs.end());
        write_record(repo_, other, *record);
      }
    }
  }

  void take_ref() {
    const auto ours = record_.refs.find(ref_);
    if (ours == record_.refs.end()) return;
    const std::string path = "refs/" + ref_;
    if (read_small_file(repo_, path, 1024) == commit_) {
      if (!ours->second.empty() && repo_.find("snapshots/" + ours->second)) {
        write_in_repo(repo_, path, ours->second);
      } else {
        repo_.remove_file(path);
        for (fs::path folder = fs::path(path).parent_path(); folder != "refs" && !folder.empty();
             folder = folder.parent_path())
          remove_if_empty(repo_.path() / folder);
      }
    }
    record_.refs.erase(ours);
  }

  bool named_by_a_ref() const {
    std::error_code trouble;
    const fs::path folder = repo_.path() / "refs";
    for (fs::recursive_directory_iterator entry(folder, trouble), end; !trouble && entry != end;
         entry.increment(trouble)) {
      const std::string path = "refs/" + entry->path().lexically_relative(folder).generic_string();
      if (read_small_file(repo_, path, 1024) == commit_) return true;
    }
    return static_cast<bool>(trouble) && trouble != std::errc::no_such_file_or_directory;
  }

  void take_snapshot() {
    const std::string snapshot = "snapshots/" + commit_;
    const fs::path root = repo_.path() / snapshot;
    for (const std::string& name : record_.files) {
      const std::string path = snapshot + "/" + name;
      const auto etag = etags_.find(name);
      if (etag == etags_.end()) continue;
      const auto blob = blob_of_link(repo_.path(), repo_.path() / path);
      if (blob ? blob->filename() == etag->second : is_ours(path, etag->second))
        repo_.remove_file(path);
      for (fs::path folder = (root / name).parent_path(); folder != root;
           folder = folder.parent_path())
        remove_if_empty(folder);
    }
    remove_if_empty(root);
    // A publication that was cut off may have no trees/ yet.
    const std::string tree = "trees/" + commit_ + ".json";
    if (record_.tree && !repo_.find(snapshot) && repo_.find(tree)) repo_.remove_file(tree);
  }

  // The same file as in our store, or a clone or copy that we made: of its size, at a name we made.
  bool is_ours(const std::string& path, const std::string& etag) const {
    const auto found = repo_.find(path);
    if (!found || found->kind != FileKind::kFile) return false;
    const auto own = own_.find(etag);
    if (own != own_.end() && files::same_file(own->second, *found)) return true;
    const auto size = sizes_.find(etag);
    return size != sizes_.end() && size->second == found->size_bytes;
  }

  // Any other snapshot that leads there; when one cannot be read, it may.
  bool used_elsewhere(const std::string& blob) {
    if (!used_blobs_) {
      used_blobs_.emplace();
      std::error_code trouble;
      for (fs::recursive_directory_iterator entry(repo_.path() / "snapshots", trouble), end;
           !trouble && entry != end; entry.increment(trouble))
        if (const auto used = blob_of_link(repo_.path(), entry->path()))
          used_blobs_->insert(used->filename().string());
      all_read_ = !trouble || trouble == std::errc::no_such_file_or_directory;
    }
    return !all_read_ || used_blobs_->contains(blob);
  }

  files::Folder repo_;
  std::string commit_, ref_;
  OwnRecord record_;
  std::map<std::string, files::Identity> own_;  // by digest
  std::map<std::string, uint64_t> sizes_;       // by digest
  std::map<std::string, std::string> etags_;    // by name
  std::optional<std::set<std::string>> used_blobs_;
  bool all_read_ = true;
};

}  // namespace

void withdraw(const fs::path& hub_cache, const Metadata& metadata, const fs::path& model_folder) {
  const fs::path folder = hub_cache / repo_folder_name(hub_name(metadata.name).repository);
  std::error_code trouble;
  if (!is_commit(metadata.revision) || !fs::is_directory(folder, trouble)) return;
  files::Folder repo = files::Folder::open(folder);
  auto record = read_record(repo, metadata.revision);
  if (!record) {  // files that are there were never made by us
    if (holds_only_folders(folder)) remove_empty_repo(folder);
    return;
  }
  Withdrawal(std::move(repo), metadata, model_folder, std::move(*record)).run();
}

}  // namespace toolkit::model_store::hub
