#include "projects/cache/stores.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/paths.h"
#include "core/model_store/folders/app_folder.h"
#include "core/model_store/folders/jan.h"
#include "core/model_store/folders/lm_studio.h"
#include "core/model_store/folders/plain_folder.h"
#include "core/model_store/hub/cache_folder.h"
#include "core/model_store/ollama/store_folder.h"

namespace toolkit::cache {

namespace fs = std::filesystem;

namespace {

using model_store::Inventory;
using model_store::Place;
using model_store::StoredFile;
using model_store::StoredModel;

/// Where Ollama's service on Linux keeps its models, under a user of its own.
constexpr const char* kOllamaService = "/usr/share/ollama/.ollama/models";
/// Where Jan keeps its data, by system and age.
constexpr const char* kJanData[] = {"~/Library/Application Support/Jan/data",
                                    "~/.local/share/Jan/data", "~/.config/Jan/data", "~/jan"};

bool is_below(const fs::path& path, const fs::path& root) {
  const auto [at, end] = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
  return at == root.end() || (std::next(at) == root.end() && at->empty());
}

/// The place as its files' paths spell it: symlinks above it resolved where it exists.
fs::path resolved(const fs::path& path) {
  std::error_code error;
  const fs::path real = fs::weakly_canonical(path, error);
  return error ? path : real;
}

/// A folder of an app may hold a whole store (a home folder that was linked): what belongs to a
/// store is listed there, by its rules.
void leave_to_their_stores(Inventory& folder, const std::vector<fs::path>& roots) {
  const auto elsewhere = [&](const StoredFile& file) {
    return std::any_of(roots.begin(), roots.end(),
                       [&](const fs::path& root) { return is_below(file.path, root); });
  };
  for (StoredModel& model : folder.models) std::erase_if(model.files, elsewhere);
  std::erase_if(folder.models, [](const StoredModel& model) { return model.files.empty(); });
}

void add_folder(const fs::path& path, std::vector<Inventory>& folders) {
  const auto known = [&](const Inventory& one) { return is_below(path, one.root); };
  if (std::none_of(folders.begin(), folders.end(), known))
    folders.push_back(model_store::read_plain_folder(path));
}

std::vector<Inventory> read_folders(Session& session) {
  std::vector<Inventory> folders;
  for (const std::string& folder : session.settings().folders)
    add_folder(resolved(expanded_path(folder)), folders);
  for (const auto& app : session.registry().apps()) {
    if (app.kind != model_store::AppKind::kLinked) continue;
    try {
      add_folder(model_store::describe_app(app.path).models, folders);
    } catch (const Error&) {
      continue;  // an app that was moved or whose volume is away has no files to look at
    }
  }
  return folders;
}

}  // namespace

std::vector<Inventory> read_stores(Session& session) {
  const auto& settings = session.settings();
  const auto& environment = session.environment();
  std::vector<Inventory> found = {read_own_store(session)};
  if (settings.huggingface_sync)
    found.push_back(model_store::hub::read_cache(environment.hub_cache));
  if (settings.ollama_sync)
    found.push_back(model_store::ollama::read_store(environment.ollama_models));
  if (settings.lm_studio_sync)
    found.push_back(model_store::read_lm_studio(environment.lm_studio_home));
  // Only where they are: nothing of ours is ever published there.
  const auto add_present = [&](Inventory inventory) {
    if (inventory.present || !inventory.problems.empty()) found.push_back(std::move(inventory));
  };
  // Ollama's service, when nobody says where Ollama's models are.
  if (settings.ollama_sync && environment.ollama_models == expanded_path("~/.ollama/models"))
    add_present(model_store::ollama::read_store(kOllamaService));
  for (const char* jan : kJanData) add_present(model_store::read_jan(expanded_path(jan)));
  std::vector<fs::path> roots = {resolved(session.layout().root)};
  for (const Inventory& one : found)
    if (one.place != Place::kJan) roots.push_back(resolved(one.root));
  for (Inventory& folder : read_folders(session)) {
    leave_to_their_stores(folder, roots);
    found.push_back(std::move(folder));
  }
  return found;
}

Inventory read_own_store(Session& session) {
  Inventory own;
  own.place = Place::kCache;
  own.root = session.layout().root;
  own.present = model_store::store_is_there(session.layout());
  if (!own.present) return own;
  for (const auto& record : session.registry().models()) {
    if (record.is_symlink) continue;  // listed where it really lies
    StoredModel model;
    model.name = record.name;
    model.place = Place::kCache;
    model.path = record.local_path;
    model.revision = record.revision;
    for (const auto& file : session.registry().files_of(record.name)) {
      const fs::path path = record.local_path / file.name;
      const auto identity = files::identity_of(path);
      if (!identity || identity->kind != files::FileKind::kFile) continue;  // `verify` tells
      model.files.push_back({.name = file.name,
                             .path = path,
                             .identity = *identity,
                             .claimed = hash::Digest{hash::Algorithm::kSha256, file.sha256},
                             .policy = {files::LinkKind::kHardLink, files::LinkKind::kClone}});
    }
    own.models.push_back(std::move(model));
  }
  return own;
}

}  // namespace toolkit::cache
