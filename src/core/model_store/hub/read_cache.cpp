#include <algorithm>
#include <map>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/files/identity.h"
#include "core/files/safe_path.h"
#include "core/model_store/hub/cache_folder.h"
#include "core/model_store/hub/repo_folder.h"
#include "core/model_store/hub/tree_file.h"

namespace toolkit::model_store::hub {

namespace fs = std::filesystem;

namespace {

constexpr size_t kLargestRefBytes = 1024;
constexpr size_t kLargestTreeBytes = 64 << 20;
constexpr int kDeepestFolder = 32;

class CacheReader {
 public:
  explicit CacheReader(const fs::path& hub_cache) { inventory_.root = hub_cache; }

  Inventory read() {
    inventory_.place = Place::kHub;
    std::error_code trouble;
    inventory_.present = fs::is_directory(inventory_.root, trouble);
    if (trouble && trouble != std::errc::no_such_file_or_directory &&
        trouble != std::errc::not_a_directory)
      problem(inventory_.root, trouble.message());
    if (inventory_.present)
      for (const fs::path& repo : folders_in(inventory_.root))
        if (const auto repository = repository_of_folder(repo.filename().string()))
          read_repository(repo, *repository);
    return std::move(inventory_);
  }

 private:
  using Refs = std::map<std::string, std::vector<std::string>>;  // commit -> names, "main" first

  void problem(const fs::path& path, const std::string& why) {
    inventory_.problems.push_back(files::escaped(path.string()) + ": " + why);
  }

  std::vector<fs::path> folders_in(const fs::path& folder) {
    std::vector<fs::path> found;
    std::error_code trouble;
    fs::directory_iterator entry(folder, trouble), end;
    for (; !trouble && entry != end; entry.increment(trouble)) {
      std::error_code ignored;
      if (entry->is_directory(ignored)) found.push_back(entry->path());
    }
    if (trouble) problem(folder, trouble.message());
    std::sort(found.begin(), found.end());
    return found;
  }

  Refs read_refs(const fs::path& repo) {
    Refs refs;
    const fs::path folder = repo / "refs";
    std::error_code trouble;
    if (!fs::is_directory(folder, trouble)) return refs;
    fs::recursive_directory_iterator entry(folder, trouble), end;
    for (; !trouble && entry != end; entry.increment(trouble)) {
      if (entry.depth() > kDeepestFolder) entry.disable_recursion_pending();
      std::error_code ignored;
      if (!entry->is_regular_file(ignored)) continue;
      const std::string name = entry->path().lexically_relative(folder).generic_string();
      if (entry->path().extension() == ".tmp") continue;  // a ref on its way, or left by a crash
      try {
        std::string commit = read_file(entry->path(), kLargestRefBytes);
        while (!commit.empty() && (commit.back() == '\n' || commit.back() == '\r'))
          commit.pop_back();
        refs[commit].push_back(name);
      } catch (const Error& error) {
        problem(entry->path(), error.what());
      }
    }
    if (trouble) problem(folder, trouble.message());
    for (auto& [commit, names] : refs) {
      std::sort(names.begin(), names.end());
      const auto main = std::find(names.begin(), names.end(), "main");
      if (main != names.end()) std::rotate(names.begin(), main, main + 1);
    }
    return refs;
  }

  void read_repository(const fs::path& repo, const std::string& repository) {
    std::error_code trouble;
    if (!fs::is_directory(repo / "snapshots", trouble)) return;  // only .no_exist or a lost folder
    const Refs refs = read_refs(repo);
    for (const fs::path& snapshot : folders_in(repo / "snapshots")) {
      const std::string commit = snapshot.filename().string();
      const auto named = refs.find(commit);
      HubName name;
      name.repository = repository;
      name.revision = named == refs.end() ? commit : named->second.front();
      StoredModel model;
      try {
        model.name = to_model_name(name);
      } catch (const Error&) {  // "gpt2" of old days, or a ref that is no name
        model.name = {Source::kHuggingFace, repository + "@" + commit};
        model.not_shareable = "its name is not of the form org/model";
      }
      model.place = Place::kHub;
      model.path = snapshot;
      model.revision = commit;
      read_snapshot(repo, snapshot, read_tree(repo, commit), model);
      inventory_.models.push_back(std::move(model));
    }
  }

  std::map<std::string, TreeEntry> read_tree(const fs::path& repo, const std::string& commit) {
    const fs::path path = repo / "trees" / (commit + ".json");
    std::error_code trouble;
    if (!fs::is_regular_file(path, trouble)) return {};
    try {
      return parse_tree_file(read_file(path, kLargestTreeBytes), path.string());
    } catch (const Error&) {
      return {};  // a hint only: huggingface_hub ignores a damaged one as well
    }
  }

  void read_snapshot(const fs::path& repo, const fs::path& snapshot,
                     const std::map<std::string, TreeEntry>& tree, StoredModel& model) {
    std::error_code trouble;
    fs::recursive_directory_iterator entry(snapshot, trouble), end;
    for (; !trouble && entry != end; entry.increment(trouble)) {
      const auto seen = files::identity_of(entry->path());
      if (!seen) continue;  // gone since the folder was read
      const files::Identity& identity = *seen;
      if (identity.kind == files::FileKind::kFolder) {
        if (entry.depth() >= kDeepestFolder) {
          problem(entry->path(), "more folders inside each other than a model has");
          entry.disable_recursion_pending();
        }
        continue;
      }
      const std::string name = entry->path().lexically_relative(snapshot).generic_string();
      if (entry->path().filename() == ".DS_Store") continue;
      if (const std::string why = files::why_unsafe_path(name); !why.empty()) {
        model.not_shareable = "file name '" + files::escaped(name) + "': " + why;
        continue;
      }
      if (auto file = stored_file(repo, entry->path(), identity)) {
        file->name = name;
        if (const auto listed = tree.find(name);
            listed != tree.end() && listed->second.size_bytes == file->identity.size_bytes)
          file->claimed = listed->second.digest;
        model.files.push_back(std::move(*file));
      }
    }
    if (trouble) problem(snapshot, trouble.message());
    std::sort(model.files.begin(), model.files.end(),
              [](const StoredFile& a, const StoredFile& b) { return a.name < b.name; });
  }

  std::optional<StoredFile> stored_file(const fs::path& repo, const fs::path& path,
                                        const files::Identity& identity) {
    const files::LinkPolicy replaceable = {files::LinkKind::kHardLink, files::LinkKind::kClone};
    StoredFile file;
    if (identity.kind == files::FileKind::kFile) {  // a cache without symlinks
      file.path = path;
      file.identity = identity;
      file.policy = replaceable;
      return file;
    }
    if (identity.kind != files::FileKind::kSymlink) return std::nullopt;
    const auto blob = blob_of_link(repo, path);
    if (const auto found = blob ? files::identity_of(*blob) : std::nullopt;
        found && found->kind == files::FileKind::kFile) {
      file.path = *blob;
      file.identity = *found;
      file.claimed = hash::parse_digest(blob->filename().string());
      file.policy = replaceable;
      return file;
    }
    // A blob in the shared store, or a link that a person made: seen, never replaced.
    std::error_code trouble;
    file.path = fs::canonical(path, trouble);
    const auto resolved = trouble ? std::nullopt : files::identity_of(file.path);
    if (!resolved) {
      problem(path, "leads to nothing: an unfinished download, or a volume that is not there");
      return std::nullopt;
    }
    if (resolved->kind != files::FileKind::kFile) return std::nullopt;
    file.identity = *resolved;
    if (blob) file.claimed = hash::parse_digest(blob->filename().string());
    return file;
  }

  Inventory inventory_;
};

}  // namespace

Inventory read_cache(const fs::path& hub_cache) {
  return CacheReader(fs::absolute(hub_cache).lexically_normal()).read();
}

}  // namespace toolkit::model_store::hub
