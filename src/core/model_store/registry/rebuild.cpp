#include "core/model_store/registry/rebuild.h"

#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "core/files/identity.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

std::vector<std::string> folder_names(const fs::path& models) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(models, error), end; !error && entry != end;
       entry.increment(error))
    if (const std::string name = entry->path().filename().string(); !name.starts_with('.'))
      names.push_back(name);
  if (error) fail(ErrorKind::kIo, "{}: cannot be read: {}", models.string(), error.message());
  std::sort(names.begin(), names.end());
  return names;
}

/// The first file that is not there in full, or "".
std::string first_missing(const fs::path& folder, const Metadata& metadata) {
  for (const FileRecord& file : metadata.files) {
    const auto found = files::resolved_identity(folder / file.name);
    if (!found) return file.name + " is missing";
    if (found->kind != files::FileKind::kFile) return file.name + " is no file";
    if (found->size_bytes != file.size_bytes)
      return fmt::format("{} has {} bytes instead of {}", file.name, found->size_bytes,
                         file.size_bytes);
  }
  return "";
}

/// A folder of symlinks (an Ollama model that was found) counts as one link.
bool is_linked(const fs::path& folder, const Metadata& metadata) {
  if (const auto itself = files::identity_of(folder);
      itself && itself->kind == files::FileKind::kSymlink)
    return true;
  return std::any_of(metadata.files.begin(), metadata.files.end(), [&](const FileRecord& file) {
    const auto found = files::identity_of(folder / file.name);
    return found && found->kind == files::FileKind::kSymlink;
  });
}

/// Nothing of the row would change.
bool is_known(const std::optional<ModelRecord>& row, const Metadata& metadata,
              const fs::path& folder, bool linked) {
  return row && row->checksum == metadata.checksum() && row->local_path == folder &&
         row->revision == metadata.revision && row->is_symlink == linked &&
         row->downloaded_at == metadata.downloaded_at && row->state != "missing";
}

void rebuild_one(Registry& registry, const fs::path& folder, RebuildReport& report,
                 std::set<std::string>& found) {
  const std::string shown = folder.filename().string();
  try {
    const auto metadata = read_metadata(folder);
    if (!metadata) {
      report.problems.push_back(shown + ": has no " + kMetadataFile);
      return;
    }
    if (metadata->name.folder_name() != shown) {
      report.problems.push_back(shown + ": its " + kMetadataFile + " belongs to " +
                                metadata->name.uri());
      return;
    }
    if (const std::string missing = first_missing(folder, *metadata); !missing.empty()) {
      report.problems.push_back(shown + ": " + missing);
      return;
    }
    found.insert(metadata->name.uri());
    const auto row = registry.find(metadata->name);
    const bool linked = is_linked(folder, *metadata);
    if (is_known(row, *metadata, folder, linked)) return;
    registry.put(*metadata, folder, linked);
    ++(row ? report.updated : report.added);
  } catch (const Error& error) {
    report.problems.push_back(shown + ": " + error.what());
  }
}

}  // namespace

RebuildReport rebuild(Registry& registry, const Layout& layout) {
  if (!store_is_there(layout))
    fail(ErrorKind::kNotFound,
         "{}: there is no model cache (is its volume mounted?); nothing was changed",
         layout.root.string());
  RebuildReport report;
  std::set<std::string> found;
  for (const std::string& name : folder_names(layout.models()))
    rebuild_one(registry, layout.models() / name, report, found);
  for (const ModelRecord& model : registry.models()) {
    if (found.contains(model.name.uri()) || model.state == "missing") continue;
    registry.set_state(model.name, "missing");
    ++report.gone;
  }
  return report;
}

}  // namespace toolkit::model_store
