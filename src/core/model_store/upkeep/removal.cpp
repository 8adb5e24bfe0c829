#include "core/model_store/upkeep/removal.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/nearest.h"
#include "core/files/folder.h"
#include "core/files/tree.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void not_in_cache(Registry& registry, const ModelName& name) {
  std::vector<std::string> known;
  for (const ModelRecord& model : registry.models()) known.push_back(model.name.uri());
  fail(ErrorKind::kNotFound, "{} is not in the cache.{}", name.uri(),
       did_you_mean(name.uri(), known));
}

}  // namespace

void refuse_linked(const ModelRecord& model) {
  std::string apps;
  std::string first;
  for (const AppUse& use : model.uses) {
    if (use.kind != AppKind::kLinked) continue;
    apps += (apps.empty() ? "" : ", ") + use.name;
    if (first.empty()) first = use.path.string();
  }
  if (apps.empty()) return;
  fail(ErrorKind::kUserInput,
       "{} is used by {}. `mlx-cache unlink {} --model {}` lets go of it; --force removes it all "
       "the same",
       model.name.uri(), apps, first, model.name.uri());
}

void FreedSpace::add(const fs::path& path) {
  const auto found = files::identity_of(path);
  if (!found) return;
  const auto count = [this](const fs::path& name, const files::Identity& identity) {
    Inode& inode = inodes_[{identity.device, identity.inode}];
    if (!inode.names.insert(name).second) return;
    inode.allocated_bytes = identity.allocated_bytes;
    inode.links = identity.links;
    named_bytes_ += identity.size_bytes;
  };
  if (found->kind != files::FileKind::kFolder) {
    if (found->kind == files::FileKind::kFile) count(path, *found);
    return;
  }
  files::walk_tree(
      path,
      [&](const files::TreeEntry& entry) {
        if (entry.identity.kind == files::FileKind::kFile) count(entry.path, entry.identity);
      },
      [](const fs::path&, const std::string&) {});
}

uint64_t FreedSpace::bytes() const {
  uint64_t bytes = 0;
  for (const auto& [unused, inode] : inodes_)
    if (inode.names.size() >= inode.links) bytes += inode.allocated_bytes;
  return bytes;
}

uint64_t FreedSpace::bytes_gone() const {
  uint64_t bytes = 0;
  for (const auto& [unused, inode] : inodes_) {
    const auto gone = std::count_if(inode.names.begin(), inode.names.end(),
                                    [](const fs::path& name) { return !files::identity_of(name); });
    if (static_cast<uint64_t>(gone) >= inode.links) bytes += inode.allocated_bytes;
  }
  return bytes;
}

std::string removal_name(const std::string& folder) {
  return "." + folder + ".gone";
}

uint64_t remove_model(Registry& registry, const Layout& layout, const ModelName& name, bool force) {
  const auto lock = lock_model(layout, name, "remove " + name.uri());
  const auto model = registry.find(name);
  // Never the path that stands in the database: only our own folder of that name.
  const std::string folder = (model ? model->name : name).folder_name();
  const files::Folder models = files::Folder::open(layout.models());
  const auto found = models.find(folder);
  if (!model && !found) not_in_cache(registry, name);
  if (model && !force) refuse_linked(*model);
  FreedSpace freed;
  freed.add(layout.models() / folder);
  const std::string metadata = metadata_path(layout.models() / folder).filename().string();
  registry.remove(model ? model->name : name);
  if (found && found->kind == files::FileKind::kFolder) {
    models.remove_tree(removal_name(folder));
    models.rename(folder, removal_name(folder));
    models.remove_tree(removal_name(folder));
  } else if (found) {
    models.remove_file(folder);
    models.remove_file(metadata);
  }
  models.sync();
  log_info("removed {}: {} bytes freed", name.uri(), freed.bytes());
  return freed.bytes();
}

}  // namespace toolkit::model_store
