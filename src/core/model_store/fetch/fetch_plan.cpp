#include <set>

#include "core/base/error.h"
#include "core/files/identity.h"
#include "core/files/safe_path.h"
#include "core/model_store/fetch/fetch.h"
#include "core/model_store/fetch/publish_folder.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

void check_names(const Offer& offer) {
  std::set<std::string> folded;
  for (const OfferedFile& file : offer.files) {
    files::check_relative_path(file.name, offer.name.uri());
    if (!folded.insert(files::folded_path(file.name)).second)
      fail(ErrorKind::kUserInput,
           "{}: two files are called '{}' or differ in capital letters only: they cannot lie in "
           "one folder on every disk; leave one out with --ignore",
           offer.name.uri(), file.name);
    if (files::folded_path(file.name) == kMetadataFile)
      fail(ErrorKind::kUserInput,
           "{}: a file is called '{}', as ours is; leave it out with --ignore", offer.name.uri(),
           file.name);
  }
}

/// What lies in the model's own folder, not shown there by symlinks.
std::optional<Metadata> own_metadata(const fs::path& folder) {
  const auto identity = files::identity_of(folder);
  if (!identity || identity->kind != files::FileKind::kFolder) return std::nullopt;
  try {
    return read_metadata(folder);
  } catch (const Error&) {  // damaged: fetched anew
    return std::nullopt;
  }
}

bool has_file(const std::optional<Metadata>& metadata, const fs::path& folder,
              const OfferedFile& file) {
  if (!metadata) return false;
  for (const FileRecord& record : metadata->files) {
    if (record.name != file.name || record.digest != file.digest) continue;
    const auto found = files::identity_of(folder / record.name);
    return found && found->kind == files::FileKind::kFile && found->size_bytes == file.size_bytes &&
           record.size_bytes == file.size_bytes;
  }
  return false;
}

bool same_device(const fs::path& path, const fs::path& folder) {
  const auto a = files::resolved_identity(path), b = files::resolved_identity(folder);
  return a && b && a->device == b->device;
}

}  // namespace

FetchPlan plan_fetch(const Layout& layout, Registry& registry, Offer offer,
                     const FindOnMachine& find) {
  check_names(offer);
  const auto record = registry.find(offer.name);
  if (record && record->name.identifier != offer.name.identifier)
    fail(ErrorKind::kUserInput, "{}: the cache has it as {}; use that spelling", offer.name.uri(),
         record->name.uri());
  const bool damaged = record && record->state == "damaged";

  FetchPlan plan{.offer = std::move(offer)};
  const fs::path folder = layout.model_folder(plan.offer.name);
  const auto metadata = own_metadata(folder);
  std::set<std::string> counted;
  for (size_t i = 0; i < plan.offer.files.size(); ++i) {
    const OfferedFile& file = plan.offer.files[i];
    if (!damaged && has_file(metadata, folder, file)) {
      plan.present.push_back(i);
      continue;
    }
    std::optional<FoundCopy> found;
    if (!file.local_path.empty())
      found = FoundCopy{file.local_path, {files::LinkKind::kClone, files::LinkKind::kHardLink}};
    else if (find)
      found = find(file);
    const bool first = counted.insert(file.digest.hex).second;
    if (found) {
      plan.shared.push_back(i);
      if (!same_device(found->path, layout.models())) plan.disk_bytes += file.size_bytes;
      plan.shared_from.push_back(std::move(*found));
    } else {
      plan.download.push_back(i);
      if (!first) continue;
      const uint64_t missing =
          http::missing_bytes({.size_bytes = file.size_bytes,
                               .digest = file.digest,
                               .part = layout.incoming() / (file.digest.hex + ".part")});
      plan.download_bytes += missing;
      plan.disk_bytes += missing;
    }
  }
  plan.complete = !damaged && metadata && plan.present.size() == plan.offer.files.size() &&
                  metadata->files.size() == plan.offer.files.size() &&
                  metadata->revision == plan.offer.revision;
  return plan;
}

}  // namespace toolkit::model_store
