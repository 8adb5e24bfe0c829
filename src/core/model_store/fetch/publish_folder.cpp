#include "core/model_store/fetch/publish_folder.h"

#include <set>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/files/folder.h"
#include "core/files/identity.h"
#include "core/files/tree.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

std::string new_name(const ModelName& name) {
  return "." + name.folder_name() + ".new";
}

std::string old_name(const ModelName& name) {
  return "." + name.folder_name() + ".old";
}

/// The names in every folder of a tree made durable (the files' bytes are already).
void sync_tree(const fs::path& root) {
  std::set<fs::path> folders{root};
  files::walk_tree(
      root,
      [&](const files::TreeEntry& entry) {
        for (fs::path at = entry.path.parent_path(); folders.insert(at).second;)
          at = at.parent_path();
      },
      [](const fs::path& path, const std::string& reason) {
        fail(ErrorKind::kIo, "{}: {}", path.string(), reason);
      });
  for (const fs::path& folder : folders) files::Folder::open(folder).sync();
}

}  // namespace

fs::path folder_in_the_making(const Layout& layout, const ModelName& name) {
  return layout.models() / new_name(name);
}

bool is_complete_folder(const fs::path& folder) {
  try {
    const auto identity = files::identity_of(folder);
    if (!identity || identity->kind != files::FileKind::kFolder) return false;
    const auto metadata = read_metadata(folder);
    if (!metadata) return false;
    for (const FileRecord& file : metadata->files) {
      const auto found = files::identity_of(folder / file.name);
      if (!found || found->kind != files::FileKind::kFile || found->size_bytes != file.size_bytes)
        return false;
    }
    return true;
  } catch (const Error&) {  // a .metadata.json that is none
    return false;
  }
}

void publish_folder(const Layout& layout, const ModelName& name) {
  const files::Folder models = files::Folder::open(layout.models());
  sync_tree(folder_in_the_making(layout, name));
  const bool replaces = models.find(name.folder_name()).has_value();
  if (replaces) models.rename(name.folder_name(), old_name(name));
  models.rename(new_name(name), name.folder_name());
  models.remove_tree(old_name(name));
  // Of a found model that was one symlink.
  const fs::path beside = layout.models() / ("." + name.folder_name() + kMetadataFile);
  models.remove_file(beside.filename().string());
}

bool recover_folder(const Layout& layout, const ModelName& name) {
  const files::Folder models = files::Folder::open(layout.models());
  const bool has_new = models.find(new_name(name)).has_value();
  const bool has_old = models.find(old_name(name)).has_value();
  if (!has_new && !has_old) return false;
  log_warning("{}: finishing what a process left that ended too early", name.uri());
  if (!models.find(name.folder_name())) {
    if (has_new && is_complete_folder(folder_in_the_making(layout, name)))
      models.rename(new_name(name), name.folder_name());
    else if (has_old)
      models.rename(old_name(name), name.folder_name());
  }
  models.remove_tree(new_name(name));
  models.remove_tree(old_name(name));
  return true;
}

}  // namespace toolkit::model_store
