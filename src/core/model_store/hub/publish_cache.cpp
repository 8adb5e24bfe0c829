#include <chrono>

#include "core/base/error.h"
#include "core/files/folder.h"
#include "core/files/link.h"
#include "core/files/lock.h"
#include "core/files/safe_path.h"
#include "core/model_store/hub/cache_folder.h"
#include "core/model_store/hub/own_record.h"
#include "core/model_store/hub/repo_folder.h"
#include "core/model_store/hub/tree_file.h"
#include "core/model_store/utc_time.h"

namespace toolkit::model_store::hub {

namespace fs = std::filesystem;

namespace {

using files::FileKind;

// How long a download by another program may hold a blob's lock before we go on without it: the
// lock saves work, what makes two writers safe is the rename.
constexpr std::chrono::milliseconds kLockPatience{20000};
constexpr const char* kCacheTag =
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# Caches of models; backups may leave this folder out. https://bford.info/cachedir/\n";

struct File {
  const FileRecord* record;
  std::string etag;      // name in blobs/
  std::string snapshot;  // path below the repository's folder
};

class Publisher {
 public:
  Publisher(const fs::path& hub_cache, const Metadata& metadata, const fs::path& model_folder)
      : hub_(files::Folder::open_or_create(hub_cache)),
        model_folder_(model_folder),
        metadata_(metadata),
        commit_(metadata.revision),
        name_(hub_name(metadata.name)),
        folder_name_(repo_folder_name(name_.repository)),
        repo_(files::Folder::open_or_create(hub_cache / folder_name_)) {
    check_revision(name_.revision);
    if (!is_commit(commit_))
      fail(ErrorKind::kUserInput, "{}: expected a commit of 40 hexadecimal digits, found '{}'",
           metadata.name.uri(), files::escaped(commit_));
    for (const FileRecord& file : metadata.files) {
      files::check_relative_path(file.name, metadata.name.uri());
      files_.push_back({&file, file.digest.hex, "snapshots/" + commit_ + "/" + file.name});
    }
  }

  Published publish() {
    if (!hub_.find("CACHEDIR.TAG")) tag_cache();
    for (const char* folder : {"blobs", "snapshots", "refs"}) repo_.subfolder(folder, true);
    const std::string ref = ref_to_write();
    remember(ref);
    published_.snapshot = repo_.path() / "snapshots" / commit_;
    for (const File& file : files_)
      published_.links.push_back(files::escaped(file.record->name) + ": " + publish_blob(file));
    repo_.subfolder("blobs", false).sync();
    if (record_.tree) write_in_repo(repo_, tree_path(), tree_file_text(metadata_.files));
    for (const File& file : files_) link_snapshot(file);
    repo_.subfolder("snapshots/" + commit_, true).sync();
    if (!ref.empty()) write_in_repo(repo_, "refs/" + ref, commit_);
    return published_;
  }

 private:
  std::string tree_path() const { return "trees/" + commit_ + ".json"; }

  void tag_cache() {
    try {
      repo_.subfolder("blobs", true);
      write_in_repo(repo_, "cachedir.tag", kCacheTag);
      fs::rename(repo_.path() / "cachedir.tag", hub_.path() / "CACHEDIR.TAG");
    } catch (const std::exception&) {  // only backups would have read it
    }
  }

  // A commit needs a ref too: `hf cache prune` removes snapshots that none names. "" when another
  // program moved the ref to a snapshot of its own after this model was fetched.
  std::string ref_to_write() {
    const std::string ref = name_.revision;
    const auto held = read_small_file(repo_, "refs/" + ref, 1024);
    if (!held || *held == commit_ || !is_commit(*held) || !repo_.find("snapshots/" + *held))
      return ref;
    const auto file = repo_.find("refs/" + ref);
    return fetched_before(file->mtime_ns / 1'000'000'000) ? "" : ref;
  }

  bool fetched_before(int64_t seconds) const {
    const auto fetched = parse_utc(metadata_.downloaded_at);
    return fetched && *fetched < seconds;
  }

  // What is not there yet becomes ours, written down before it is made.
  void remember(const std::string& ref) {
    record_ = read_record(repo_, commit_).value_or(OwnRecord{});
    for (const File& file : files_) {
      if (!repo_.find("blobs/" + file.etag)) record_.blobs.insert(file.etag);
      if (!repo_.find(file.snapshot)) record_.files.insert(file.record->name);
    }
    if (!ref.empty()) {
      const std::string held = read_small_file(repo_, "refs/" + ref, 1024).value_or("");
      if (held != commit_) record_.refs[ref] = is_commit(held) ? held : "";
    }
    const bool listed = repo_.find(tree_path()).has_value();
    const bool ours = record_.tree;
    record_.tree = !metadata_.partial && (!listed || ours);
    write_record(repo_, commit_, record_);
    if (ours && !record_.tree) repo_.remove_file(tree_path());
  }

  std::string publish_blob(const File& file) {
    const fs::path source = model_folder_ / file.record->name;
    const auto own = files::identity_of(source);
    if (!own || own->kind != FileKind::kFile || own->size_bytes != file.record->size_bytes)
      fail(ErrorKind::kIo, "{}: expected a file of {} bytes: `mlx-cache verify {}`",
           source.string(), file.record->size_bytes, metadata_.name.uri());
    const std::string blob = "blobs/" + file.etag;
    std::string damaged;
    const auto lock = lock_blob(file.etag);
    if (const auto there = repo_.find(blob)) {
      if (files::same_file(*there, *own)) {
        ++published_.already_there;
        return "hard link, there already";
      }
      const auto content = files::resolved_identity(repo_.path() / blob);
      if (content && content->kind == FileKind::kFile && content->size_bytes == own->size_bytes) {
        ++published_.already_there;
        return there->kind == FileKind::kSymlink
                   ? "there already, in the shared store of huggingface_hub"
                   : "there already as a copy (`mlx-cache sync` shares it)";
      }
      damaged = content ? "; the one there had " + std::to_string(content->size_bytes) + " bytes"
                        : "; the one there led to nothing";
    }
    const std::string temporary = temporary_in_blobs(file.etag);
    try {
      const files::LinkOutcome outcome = files::make_link(
          source, repo_.path() / temporary,
          {files::LinkKind::kHardLink, files::LinkKind::kClone, files::LinkKind::kCopy});
      fs::rename(repo_.path() / temporary, repo_.path() / blob);
      ++(outcome.kind == files::LinkKind::kHardLink ? published_.hard_links
         : outcome.kind == files::LinkKind::kClone  ? published_.clones
                                                    : published_.copies);
      return std::string(files::link_kind_name(outcome.kind)) +
             (outcome.reason.empty() ? "" : " (" + outcome.reason + ")") + damaged;
    } catch (...) {
      repo_.remove_file(temporary);
      throw;
    }
  }

  std::optional<files::FileLock> lock_blob(const std::string& etag) {
    const std::string folder = ".locks/" + folder_name_;
    try {
      return files::FileLock::take(hub_.subfolder(folder, true).path() / (etag + ".lock"),
                                   files::LockMode::kExclusive, "mlx-cache publishes a model",
                                   kLockPatience);
    } catch (const Error&) {
      return std::nullopt;
    }
  }

  void link_snapshot(const File& file) {
    const fs::path path = repo_.path() / file.snapshot;
    repo_.subfolder(fs::path(file.snapshot).parent_path().generic_string(), true);
    if (const auto there = repo_.find(file.snapshot)) {
      const auto content = files::resolved_identity(path);
      if (content && content->kind == FileKind::kFile &&
          content->size_bytes == file.record->size_bytes)
        return;
      if (there->kind == FileKind::kFolder)
        fail(ErrorKind::kUserInput, "{}: expected a file, found a folder", path.string());
      repo_.remove_file(file.snapshot);
    }
    std::error_code trouble;
    fs::create_symlink(blob_link_target(file.record->name, file.etag), path, trouble);
    if (!trouble) return;
    // A file system without symlinks (exFAT): huggingface_hub puts the file itself there.
    files::make_link(model_folder_ / file.record->name, path,
                     {files::LinkKind::kHardLink, files::LinkKind::kClone, files::LinkKind::kCopy});
  }

  files::Folder hub_;
  fs::path model_folder_;
  const Metadata& metadata_;
  std::string commit_;
  HubName name_;
  std::string folder_name_;
  files::Folder repo_;
  std::vector<File> files_;
  OwnRecord record_;
  Published published_;
};

}  // namespace

Published publish(const fs::path& hub_cache, const Metadata& metadata,
                  const fs::path& model_folder) {
  return Publisher(hub_cache, metadata, model_folder).publish();
}

}  // namespace toolkit::model_store::hub
