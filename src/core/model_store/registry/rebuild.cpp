#include "core/model_store/registry/rebuild.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "core/base/error.h"
#include "core/files/identity.h"
#include "core/model_store/registry/put_models.h"

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
bool is_known(const std::optional<ModelRecord>& row, const WholeModel& model) {
  return row && row->checksum == model.metadata.checksum() && row->local_path == model.local_path &&
         row->revision == model.metadata.revision && row->is_symlink == model.is_symlink &&
         row->downloaded_at == model.metadata.downloaded_at && row->state != "missing";
}

/// A model that lies there whole.
std::optional<WholeModel> look_at(const fs::path& folder, RebuildReport& report) {
  const std::string shown = folder.filename().string();
  try {
    const auto metadata = read_metadata(folder);
    if (!metadata) {
      report.problems.push_back(shown + ": has no " + kMetadataFile);
      return std::nullopt;
    }
    if (metadata->name.folder_name() != shown) {
      report.problems.push_back(shown + ": its " + kMetadataFile + " belongs to " +
                                metadata->name.uri());
      return std::nullopt;
    }
    if (const std::string missing = first_missing(folder, *metadata); !missing.empty()) {
      report.problems.push_back(shown + ": " + missing);
      return std::nullopt;
    }
    return WholeModel{*metadata, folder, is_linked(folder, *metadata)};
  } catch (const Error& error) {
    report.problems.push_back(shown + ": " + error.what());
    return std::nullopt;
  }
}

}  // namespace

RebuildReport rebuild(Registry& registry, const Layout& layout) {
  if (!store_is_there(layout))
    fail(ErrorKind::kNotFound,
         "{}: there is no model cache (is its volume mounted?); nothing was changed",
         layout.root.string());
  RebuildReport report;
  std::vector<WholeModel> changed;
  std::set<std::string> found;
  for (const std::string& name : folder_names(layout.models())) {
    auto model = look_at(layout.models() / name, report);
    if (!model) continue;
    found.insert(model->metadata.name.uri());
    if (!is_known(registry.find(model->metadata.name), *model))
      changed.push_back(std::move(*model));
  }
  std::vector<ModelName> gone;
  for (const ModelRecord& model : registry.models())
    if (!found.contains(model.name.uri()) && model.state != "missing") gone.push_back(model.name);
  if (changed.empty() && gone.empty()) return report;
  PutReport put = put_models(registry, changed, gone);
  report.added = put.added, report.updated = put.updated,
  report.gone = static_cast<int>(gone.size());
  std::move(put.problems.begin(), put.problems.end(), std::back_inserter(report.problems));
  return report;
}

}  // namespace toolkit::model_store
