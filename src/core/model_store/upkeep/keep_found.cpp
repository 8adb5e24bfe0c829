#include "core/model_store/upkeep/keep_found.h"

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/files/disk_space.h"
#include "core/files/folder.h"
#include "core/files/link.h"
#include "core/model_store/registry/hash_memory.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

/// The file that a link of the model leads to, proven to be what was found.
fs::path proven_source(HashMemory& hashes, const fs::path& folder, const FileRecord& file,
                       const ModelName& name) {
  const fs::path link = folder / file.name;
  std::error_code error;
  const fs::path source = fs::canonical(link, error);
  if (error)
    fail(ErrorKind::kIo, "{}: {} leads nowhere; `mlx-cache sync` looks where it is now", name.uri(),
         link.string());
  if (hashes.of(source) != file.sha256)
    fail(ErrorKind::kIo, "{}: {} changed since it was found; `mlx-cache sync` looks again",
         name.uri(), source.string());
  return source;
}

void fill_folder(HashMemory& hashes, const fs::path& folder, const fs::path& made,
                 const Metadata& metadata) {
  const files::Folder target = files::Folder::open_or_create(made);
  for (const FileRecord& file : metadata.files) {
    const fs::path source = proven_source(hashes, folder, file, metadata.name);
    const fs::path place = made / file.name;
    const std::string parent = fs::path(file.name).parent_path().string();
    if (!parent.empty()) target.subfolder(parent, /*create=*/true);
    if (!files::can_link(source.parent_path(), made, files::LinkKind::kHardLink))
      files::require_disk_space(made, file.size_bytes);
    const files::LinkOutcome outcome = files::make_link(
        source, place,
        {files::LinkKind::kHardLink, files::LinkKind::kClone, files::LinkKind::kCopy});
    log_info("{}: {} {}", place.string(), files::link_kind_name(outcome.kind), outcome.reason);
  }
  write_metadata(made, metadata);
  target.sync();
}

}  // namespace

ModelRecord keep_found_model(Registry& registry, const Layout& layout, const ModelName& name) {
  const auto lock = lock_model(layout, name, "keep " + name.uri());
  const auto model = registry.find(name);
  if (!model)
    fail(ErrorKind::kNotFound, "{} is not in the cache: `mlx-cache add {}` brings it", name.uri(),
         name.uri());
  if (!model->is_symlink) return *model;
  const fs::path folder = layout.model_folder(model->name);
  const auto metadata = read_metadata(folder);
  if (!metadata)
    fail(ErrorKind::kIo, "{}: has no {}; `mlx-cache sync` finds the model again", folder.string(),
         kMetadataFile);
  const std::string shown = folder.filename().string(), made = "." + shown + ".new",
                    old = "." + shown + ".old";
  const files::Folder models = files::Folder::open(layout.models());
  models.remove_tree(made);
  HashMemory hashes(registry.database());
  fill_folder(hashes, folder, layout.models() / made, *metadata);
  const std::string beside = metadata_path(folder).filename().string();
  const bool one_link = models.find(shown)->kind == files::FileKind::kSymlink;
  // Killed between the two renames, `repair` finds the whole .new and puts it here.
  if (one_link)
    models.remove_file(shown);
  else
    models.rename(shown, old);
  models.rename(made, shown);
  if (one_link)
    models.remove_file(beside);
  else
    models.remove_tree(old);
  return registry.put(*metadata, folder, /*is_symlink=*/false);
}

}  // namespace toolkit::model_store
