#include "projects/cache/publish_lm_studio.h"

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/model_store/folders/lm_studio.h"

namespace toolkit::cache {

namespace {

constexpr const char* kProgram = "LM Studio";

bool has_lm_studio(const std::filesystem::path& home) {
  return files::resolved_identity(home).has_value();
}

}  // namespace

std::optional<PublishedTo> publish_to_lm_studio(Session& session,
                                                const model_store::ModelRecord& model) {
  const auto& home = session.environment().lm_studio_home;
  if (model.is_symlink || !has_lm_studio(home)) return std::nullopt;
  try {
    const auto metadata = model_store::read_metadata(model.local_path);
    if (!metadata) return std::nullopt;
    const auto folder = model_store::publish_to_lm_studio(home, *metadata, model.local_path);
    if (folder.empty()) return std::nullopt;
    const auto models = model_store::lm_studio_models(home);
    session.registry().put_app(kProgram, models, model_store::AppKind::kProgram);
    session.registry().use(model.name, models);
    return PublishedTo{kProgram, shown_path(folder)};
  } catch (const Error& error) {
    log_warning("{}: {} not published: {}", kProgram, model.name.uri(), error.what());
    return PublishedTo{kProgram, fmt::format("not published: {}", error.what())};
  }
}

std::optional<model_store::Publication> published_in_lm_studio(
    Session& session, const model_store::ModelRecord& model) {
  const auto& home = session.environment().lm_studio_home;
  if (model.is_symlink || !has_lm_studio(home)) return std::nullopt;
  const auto metadata = model_store::read_metadata(model.local_path);
  if (!metadata) return std::nullopt;
  return model_store::published_in_lm_studio(home, *metadata, model.local_path);
}

void withdraw_from_lm_studio(Session& session, const model_store::ModelRecord& model) {
  const auto& home = session.environment().lm_studio_home;
  if (model.is_symlink || !has_lm_studio(home)) return;
  if (const auto metadata = model_store::read_metadata(model.local_path))
    model_store::withdraw_from_lm_studio(home, *metadata, model.local_path);
}

}  // namespace toolkit::cache
