#include "projects/cache/found_models.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <set>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/files/folder.h"
#include "core/files/safe_path.h"
#include "core/model_store/metadata.h"

namespace toolkit::cache {

namespace fs = std::filesystem;
using model_store::Inventory;
using model_store::Place;
using model_store::StoredFile;
using model_store::StoredModel;

namespace {

constexpr const char* kOneBlobPerTensor = "one blob per tensor";  // unusable elsewhere, but whole

bool is_shown(Place place) {
  return place == Place::kOllama || place == Place::kHub || place == Place::kLmStudio;
}

model_store::Metadata metadata_of(Session& session, const StoredModel& model) {
  model_store::Metadata metadata;
  metadata.name = model.name;
  metadata.revision = model.revision;
  metadata.downloaded_at = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  for (const StoredFile& file : model.files) {
    files::check_relative_path(file.name, model.name.uri());
    const bool named_by_sha256 =
        file.claimed && file.claimed->algorithm == hash::Algorithm::kSha256;
    const std::string sha256 = named_by_sha256 ? file.claimed->hex : session.hashes().of(file.path);
    metadata.files.push_back(
        {.name = file.name,
         .size_bytes = file.identity.size_bytes,
         .digest = file.claimed.value_or(hash::Digest{hash::Algorithm::kSha256, sha256}),
         .sha256 = sha256});
  }
  return metadata;
}

/// The folder that one symlink can lead to: every file lies in it by its own name.
bool lies_in_one_folder(const StoredModel& model) {
  return std::all_of(model.files.begin(), model.files.end(), [&](const StoredFile& file) {
    const auto there = files::resolved_identity(model.path / file.name);
    return there && files::same_file(*there, file.identity);
  });
}

/// Links made under a temporary name, then renamed: never half of them is seen.
void make_links(const fs::path& models, const StoredModel& model,
                const model_store::Metadata& metadata) {
  const files::Folder store = files::Folder::open(models);
  const std::string name = model.name.folder_name(), made = "." + name + ".new";
  store.remove_tree(made);
  if (lies_in_one_folder(model)) {
    files::make_link(model.path, models / made, {files::LinkKind::kSymlink});
    store.remove_tree(name);
    store.rename(made, name);
    model_store::write_metadata(models / name, metadata);
    return;
  }
  const files::Folder folder = store.subfolder(made, true);
  for (const StoredFile& file : model.files) {
    if (const size_t slash = file.name.rfind('/'); slash != std::string::npos)
      folder.subfolder(file.name.substr(0, slash), true);
    files::make_link(file.path, models / made / file.name, {files::LinkKind::kSymlink});
  }
  write_file_atomically(models / made / model_store::kMetadataFile,
                        model_store::to_json_text(metadata));
  folder.sync();
  store.remove_tree(name);
  store.rename(made, name);
}

/// Drops our link and what stands beside it; theirs is not touched.
void drop_links(const fs::path& models, const std::string& name) {
  const files::Folder store = files::Folder::open(models);
  const fs::path beside = model_store::metadata_path(models / name);
  store.remove_tree(name);
  if (beside.parent_path() == models) store.remove_file(beside.filename().string());
}

class Show {
 public:
  Show(Session& session, bool dry_run) : session_(session), dry_run_(dry_run) {}

  std::vector<FoundModel> all(const std::vector<Inventory>& inventories) {
    learn_our_files(inventories);
    for (const Inventory& inventory : inventories)
      if (is_shown(inventory.place))
        for (const StoredModel& model : inventory.models) one(inventory, model);
    for (const Inventory& inventory : inventories)
      if (is_shown(inventory.place)) drop_gone(inventory);
    return std::move(found_);
  }

 private:
  void learn_our_files(const std::vector<Inventory>& inventories) {
    for (const Inventory& inventory : inventories)
      if (inventory.place == Place::kCache)
        for (const StoredModel& model : inventory.models)
          for (const StoredFile& file : model.files)
            if (file.path.string().starts_with(session_.layout().root.string() + "/"))
              ours_.insert({file.identity.device, file.identity.inode});
  }

  /// Published by us: its weights are names of our files.
  bool is_ours(const StoredModel& model) const {
    constexpr uint64_t kWeightBytes = 1 << 20;
    const StoredFile* largest = nullptr;
    for (const StoredFile& file : model.files)
      if (!largest || file.identity.size_bytes > largest->identity.size_bytes) largest = &file;
    return largest && largest->identity.size_bytes >= kWeightBytes &&
           ours_.contains({largest->identity.device, largest->identity.inode});
  }

  void one(const Inventory& inventory, const StoredModel& model) {
    FoundModel found{model.name.uri(), place_name(inventory.place), FoundModel::What::kShown, ""};
    seen_.insert(found.uri);
    try {
      const auto known = session_.registry().find(model.name);
      if (known && (!known->is_symlink || is_as_it_was(*known, model))) {
        found.what = FoundModel::What::kKnown;
      } else if (!known && is_ours(model)) {
        found.what = FoundModel::What::kKnown;
        found.reason = "published by us";
      } else if (model.files.empty() || (!model.not_shareable.empty() &&
                                         !model.not_shareable.starts_with(kOneBlobPerTensor))) {
        found.what = FoundModel::What::kSkipped;
        found.reason = model.files.empty() ? "it has no files" : model.not_shareable;
      } else if (!dry_run_) {
        show(inventory, model);
      }
    } catch (const Error& error) {
      // One odd model must not keep the others from being found.
      if (error.kind() == ErrorKind::kInternal) throw;
      found.what = FoundModel::What::kSkipped;
      found.reason = error.what();
    }
    found_.push_back(std::move(found));
  }

  /// Every link still leads to the file that the program names today.
  bool is_as_it_was(const model_store::ModelRecord& known, const StoredModel& model) const {
    if (known.revision != model.revision || known.state == "missing") return false;
    return std::all_of(model.files.begin(), model.files.end(), [&](const StoredFile& file) {
      const auto there = files::resolved_identity(known.local_path / file.name);
      return there && files::same_file(*there, file.identity);
    });
  }

  void show(const Inventory& inventory, const StoredModel& model) {
    const model_store::Metadata metadata = metadata_of(session_, model);
    const auto lock = model_store::lock_model(session_.layout(), model.name, "sync");
    const fs::path folder = session_.layout().model_folder(model.name);
    // `add` may have brought it since: what is ours is never taken for a link.
    const auto known = session_.registry().find(model.name);
    if (known && !known->is_symlink) return;
    if (!known && files::identity_of(folder) && !is_link_of_ours(folder)) return;
    make_links(session_.layout().models(), model, metadata);
    session_.registry().put(metadata, folder, true);
    session_.registry().put_app(place_name(inventory.place), inventory.root,
                                model_store::AppKind::kProgram);
    session_.registry().use(model.name, inventory.root);
  }

  /// A symlink, or a folder that holds nothing but symlinks and our record.
  static bool is_link_of_ours(const fs::path& folder) {
    if (files::identity_of(folder)->kind == files::FileKind::kSymlink) return true;
    std::error_code error;
    for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error))
      if (!entry->is_symlink() && !entry->is_directory() &&
          entry->path().filename() != model_store::kMetadataFile)
        return false;
    return !error;
  }

  void drop_gone(const Inventory& inventory) {
    // An unmounted volume and a manifest that cannot be read look like "everything is gone".
    if (!inventory.present || !inventory.problems.empty()) return;
    for (const model_store::ModelRecord& model : session_.registry().models()) {
      if (!model.is_symlink || seen_.contains(model.name.uri())) continue;
      const bool from_there =
          std::any_of(model.uses.begin(), model.uses.end(), [&](const model_store::AppUse& use) {
            return use.path == inventory.root && use.kind == model_store::AppKind::kProgram;
          });
      if (!from_there) continue;
      found_.push_back({model.name.uri(), place_name(inventory.place), FoundModel::What::kGone,
                        "its program has it no more"});
      if (dry_run_) continue;
      const auto lock = model_store::lock_model(session_.layout(), model.name, "sync");
      session_.registry().remove(model.name);
      drop_links(session_.layout().models(), model.name.folder_name());
    }
  }

  Session& session_;
  bool dry_run_;
  std::set<std::pair<uint64_t, uint64_t>> ours_;
  std::set<std::string> seen_;
  std::vector<FoundModel> found_;
};

}  // namespace

std::vector<FoundModel> show_found_models(Session& session,
                                          const std::vector<Inventory>& inventories, bool dry_run) {
  return Show(session, dry_run).all(inventories);
}

}  // namespace toolkit::cache
