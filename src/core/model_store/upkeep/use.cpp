#include "core/model_store/upkeep/use.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/files/safe_path.h"
#include "core/files/tree.h"
#include "core/model_store/utc_time.h"
#include "core/model_store/weight_file.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

/// What a download and its publication may still touch after `downloaded_at`.
constexpr int64_t kDownloadSeconds = 60;

fs::path resolved(const fs::path& path) {
  std::error_code error;
  fs::path real = fs::weakly_canonical(path, error);
  return error ? path : real;
}

bool is_below(const fs::path& path, const fs::path& root) {
  return std::mismatch(root.begin(), root.end(), path.begin(), path.end()).first == root.end();
}

/// One spelling may have symlinks in it, or name the folder of models inside the other.
bool is_same_place(const fs::path& a, const fs::path& b) {
  const fs::path first = resolved(a), second = resolved(b);
  return is_below(first, second) || is_below(second, first);
}

int64_t seconds_of(const std::string& utc) {
  return parse_utc(utc).value_or(0);
}

/// A model that `add file:///...` took in, while the folder it came from has nothing of it any
/// more: no server gives it again.
std::string why_only_copy(const ModelRecord& model, const std::vector<FileRecord>& files,
                          const fs::path& cache) {
  if (model.name.source != Source::kLocal) return "";
  const fs::path source = model.name.identifier;
  const fs::path root = resolved(cache);
  std::error_code error;
  const bool folder = fs::is_directory(source, error);
  for (const FileRecord& file : files) {
    const fs::path path = resolved(folder ? source / file.name : source);
    const auto there = files::resolved_identity(path);
    // A link into our own store would go with it.
    if (!there || there->size_bytes != file.size_bytes || is_below(path, root))
      return fmt::format("the only copy: {} has it no more; `remove` takes it", source.string());
  }
  return "";
}

}  // namespace

/// The files of a model in our store.
struct UseJudge::Files {
  std::vector<fs::path> weights;  // all of its files where none is known for weights
  Inodes weight_inodes, all_inodes;
};

UseJudge::UseJudge(Registry& registry, const Layout& layout, const UseEvidence& evidence, int days,
                   int64_t now)
    : layout_(layout), evidence_(evidence), days_s_(days * kDaySeconds), now_s_(now) {
  for (const ModelRecord& model : registry.models()) {
    if (model.is_symlink) continue;
    try {
      publications_[model.id] = evidence.publications(model);
    } catch (const std::exception& error) {
      unreadable_[model.id] = error.what();
      continue;
    }
    for (const Publication& publication : publications_[model.id])
      if (!publication.listing.empty()) own_listings_.insert(resolved(publication.listing));
    if (std::string why = why_only_copy(model, registry.files_of(model.name), layout.root);
        !why.empty())
      only_copies_[model.id] = std::move(why);
  }
  for (const Inventory& inventory : evidence.others)
    for (const StoredModel& model : inventory.models)
      for (const StoredFile& file : model.files)
        listed_[{file.identity.device, file.identity.inode}].push_back(&model);
}

UseJudge::Files UseJudge::files_of(const ModelRecord& model) const {
  Files files;
  const fs::path folder = layout_.model_folder(model.name);
  if (!files::identity_of(folder)) return files;
  std::vector<files::TreeEntry> entries;
  files::walk_tree(
      folder, [&](const files::TreeEntry& entry) { entries.push_back(entry); },
      [](const fs::path&, const std::string&) {});
  const bool known = std::any_of(entries.begin(), entries.end(),
                                 [](const auto& entry) { return is_weight_file(entry.relative); });
  for (const files::TreeEntry& entry : entries) {
    const std::pair inode{entry.identity.device, entry.identity.inode};
    files.all_inodes.insert(inode);
    if (known ? !is_weight_file(entry.relative) : entry.relative == kMetadataFile) continue;
    files.weights.push_back(entry.path);
    files.weight_inodes.insert(inode);
  }
  // Those of another volume are copies: read by that program, not by way of ours.
  if (const auto made = publications_.find(model.id); made != publications_.end())
    for (const Publication& publication : made->second)
      for (const PublishedFile& file : publication.files) {
        const auto there = files::identity_of(file.path);
        if (!there || (known ? !is_weight_file(file.name) : file.name.empty())) continue;
        if (files.weight_inodes.insert({there->device, there->inode}).second)
          files.weights.push_back(file.path);
      }
  return files;
}

bool UseJudge::is_ours(const StoredModel& listed) const {
  return own_listings_.contains(resolved(listed.path));
}

/// "Ollama lists it", "the store ... is not there now", or "" when that program has let go of it.
std::string UseJudge::why_kept_by(const AppUse& use, const ModelRecord& model) const {
  for (const Inventory& inventory : evidence_.others) {
    if (!is_same_place(inventory.root, use.path)) continue;
    if (!inventory.present)
      return fmt::format("the store of {} is not there now ({})", use.name, use.path.string());
    const bool named = std::any_of(
        inventory.models.begin(), inventory.models.end(),
        [&](const StoredModel& has) { return has.name == model.name && !is_ours(has); });
    return named ? use.name + " lists it" : "";
  }
  return fmt::format("the store of {} was not looked at ({})", use.name, use.path.string());
}

/// A name that we did not make, for the same file.
std::string UseJudge::why_kept_by_foreign(const Inodes& weights) const {
  for (const auto& inode : weights) {
    const auto found = listed_.find(inode);
    if (found == listed_.end()) continue;
    for (const StoredModel* listed : found->second)
      // A second name in a folder keeps the content by itself, and nobody lists it.
      if (listed->place != Place::kFolder && !is_ours(*listed))
        return fmt::format("{} lists it as {}", place_name(listed->place),
                           listed->name.source == Source::kLocal ? listed->path.string()
                                                                 : listed->name.identifier);
  }
  return "";
}

/// A store that could not be read in full may hold names of the model that nobody saw.
std::string UseJudge::why_kept_by_problems(const ModelRecord& model) const {
  for (const Inventory& inventory : evidence_.others) {
    if (inventory.problems.empty()) continue;
    const bool hub = inventory.place == Place::kHub, ollama = inventory.place == Place::kOllama;
    const bool other_source = (hub && model.name.source == Source::kOllama) ||
                              (ollama && model.name.source == Source::kLocal);
    if (!other_source)
      return fmt::format("problems in {}: {}", place_name(inventory.place),
                         inventory.problems.front());
  }
  return "";
}

/// What is at work now. A program may have read everything into memory weeks ago.
std::string UseJudge::why_kept_by_programs(const Files& files) {
  if (!open_) open_ = evidence_.open_files();
  for (const auto& inode : files.weight_inodes) {
    if (open_->contains(inode)) return "a process has it open";
    const auto found = listed_.find(inode);
    if (found == listed_.end()) continue;
    if (!loaded_) loaded_ = evidence_.loaded();
    for (const StoredModel* listed : found->second)
      if (!listed->revision.empty() && loaded_->contains(listed->revision))
        return fmt::format("{} has it in memory", place_name(listed->place));
  }
  return "";
}

/// Fills what is known of the last use.
std::string UseJudge::why_kept_by_reads(const ModelRecord& model, const Files& files,
                                        ModelUse& use) const {
  const int64_t added = seconds_of(model.downloaded_at);
  const int64_t noted = seconds_of(model.last_used);
  int64_t read = 0;
  bool recorded = true;
  for (const fs::path& path : files.weights) {
    const auto at = evidence_.last_read_s(path);
    recorded = recorded && at.has_value();
    if (at && *at > added + kDownloadSeconds) read = std::max(read, *at);
  }
  const int64_t used = std::max(noted, read);
  use.touched_s = std::max(added, used);
  for (const AppUse& shown : model.uses)
    use.touched_s = std::max(use.touched_s, seconds_of(shown.last_used));
  const std::string when = shown_age(utc_text(used), now_s_);
  use.in_words = used == 0 ? "never used, added " + shown_age(model.downloaded_at, now_s_)
                           : (read > noted ? "last read " : "last used ") + when;
  // Our own name for it may be the one that somebody works with.
  if (!recorded)
    for (const Publication& publication : use.publications)
      if (!publication.listing.empty())
        return fmt::format("{} lists it, and this disk does not record reads",
                           place_name(publication.place));
  return used != 0 && now_s_ - used < days_s_ ? use.in_words : "";
}

ModelUse UseJudge::judge(const ModelRecord& model) {
  ModelUse use;
  const Files files = files_of(model);
  use.inodes = files.all_inodes;
  if (const auto made = publications_.find(model.id); made != publications_.end())
    use.publications = made->second;
  const std::string by_reads = why_kept_by_reads(model, files, use);
  for (const AppUse& app : model.uses)
    if (app.kind == AppKind::kLinked && use.why_kept.empty())
      use.why_kept = "linked by " + app.name;
  if (!use.why_kept.empty() || model.is_symlink) return use;
  if (const auto why = unreadable_.find(model.id); why != unreadable_.end())
    use.why_kept = "what was made of it elsewhere is not known: " + why->second;
  for (const AppUse& app : model.uses)
    if (app.kind == AppKind::kProgram && use.why_kept.empty())
      use.why_kept = why_kept_by(app, model);
  if (use.why_kept.empty()) use.why_kept = why_kept_by_foreign(files.weight_inodes);
  if (use.why_kept.empty()) use.why_kept = why_kept_by_problems(model);
  if (use.why_kept.empty()) use.why_kept = by_reads;
  if (const auto why = only_copies_.find(model.id);
      use.why_kept.empty() && why != only_copies_.end())
    use.why_kept = why->second;
  if (use.why_kept.empty()) use.why_kept = why_kept_by_programs(files);
  return use;
}

std::vector<fs::path> UseJudge::content_that_goes(
    const std::vector<Publication>& publications) const {
  std::set<fs::path> going;
  for (const Publication& publication : publications) going.insert(resolved(publication.listing));
  std::vector<fs::path> paths;
  for (const Publication& publication : publications)
    for (const PublishedFile& file : publication.files) {
      const auto there = files::identity_of(file.path);
      if (!there) continue;
      const auto listed = listed_.find({there->device, there->inode});
      const bool stays =
          listed != listed_.end() &&
          std::any_of(listed->second.begin(), listed->second.end(), [&](const StoredModel* by) {
            return by->place != Place::kFolder && !going.contains(resolved(by->path));
          });
      if (!stays) paths.push_back(file.path);
    }
  return paths;
}

Inodes UseJudge::inodes_of_others() const {
  Inodes inodes;
  for (const Inventory& inventory : evidence_.others)
    if (inventory.problems.empty())
      for (const StoredModel& model : inventory.models)
        for (const StoredFile& file : model.files)
          inodes.emplace(file.identity.device, file.identity.inode);
  return inodes;
}

}  // namespace toolkit::model_store
