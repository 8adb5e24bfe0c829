#include "projects/cache/publish_hub.h"

#include <fmt/format.h>

#include <string>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/files/disk_space.h"
#include "core/files/link.h"
#include "core/model_store/hub/cache_folder.h"

namespace toolkit::cache {

namespace {

using model_store::Source;

constexpr const char* kProgram = "Hugging Face";

// Between two volumes only copies are possible: their space is looked for first.
void check_space(const std::filesystem::path& model, const std::filesystem::path& hub,
                 uint64_t size_bytes) {
  std::filesystem::create_directories(hub);
  if (files::can_link(model.parent_path(), hub, files::LinkKind::kHardLink) ||
      files::can_link(model.parent_path(), hub, files::LinkKind::kClone))
    return;
  files::require_disk_space(hub, size_bytes);
}

// "12 files: 11 hard links, 1 copy".
std::string summary_of(const model_store::hub::Published& published) {
  std::string parts;
  const auto add = [&](int count, const char* one, const char* many) {
    if (count > 0)
      parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", count, count == 1 ? one : many);
  };
  add(published.hard_links, "hard link", "hard links");
  add(published.clones, "clone", "clones");
  add(published.copies, "copy", "copies");
  add(published.already_there, "there already", "there already");
  const size_t files = published.links.size();
  return fmt::format("{} file{}: {}", files, files == 1 ? "" : "s", parts);
}

}  // namespace

std::optional<PublishedTo> publish_to_hub(Session& session, const model_store::ModelRecord& model) {
  if (model.name.source != Source::kHuggingFace || model.is_symlink) return std::nullopt;
  const auto& hub = session.environment().hub_cache;
  try {
    const auto metadata = model_store::read_metadata(model.local_path);
    if (!metadata) return std::nullopt;
    check_space(model.local_path, hub, metadata->size_bytes());
    const auto published = model_store::hub::publish(hub, *metadata, model.local_path);
    for (const std::string& line : published.links) log_debug("{}: {}", kProgram, line);
    session.registry().put_app(kProgram, hub, model_store::AppKind::kProgram);
    session.registry().use(model.name, hub);
    return PublishedTo{kProgram, summary_of(published)};
  } catch (const Error& error) {
    log_warning("{}: {} not published: {}", kProgram, model.name.uri(), error.what());
    return PublishedTo{kProgram, fmt::format("not published: {}", error.what())};
  }
}

std::optional<model_store::Publication> published_in_hub(Session& session,
                                                         const model_store::ModelRecord& model) {
  if (model.name.source != Source::kHuggingFace || model.is_symlink) return std::nullopt;
  const auto metadata = model_store::read_metadata(model.local_path);
  if (!metadata) return std::nullopt;
  return model_store::hub::published(session.environment().hub_cache, *metadata, model.local_path);
}

void withdraw_from_hub(Session& session, const model_store::ModelRecord& model) {
  if (model.name.source != Source::kHuggingFace || model.is_symlink) return;
  const auto metadata = model_store::read_metadata(model.local_path);
  if (metadata)
    model_store::hub::withdraw(session.environment().hub_cache, *metadata, model.local_path);
}

}  // namespace toolkit::cache
