#include "core/model_store/folders/lm_studio.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/files/folder.h"
#include "core/files/safe_path.h"
#include "core/files/tree.h"
#include "core/model_store/weight_file.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

const files::LinkPolicy kFoundPolicy = {files::LinkKind::kHardLink, files::LinkKind::kClone};
const files::LinkPolicy kPublishPolicy = {files::LinkKind::kHardLink, files::LinkKind::kClone,
                                          files::LinkKind::kCopy};

std::optional<Json> json_of(const fs::path& path) {
  try {
    return parse_json(read_file(path, size_t{4} << 20), path.string());
  } catch (const Error&) {
    return std::nullopt;  // absent, or another program's business
  }
}

bool is_gguf(const std::string& name) {
  return fs::path(name).extension() == ".gguf";
}

/// Weights of MLX carry their quantization in config.json, or come from the people who convert.
bool is_mlx_model(const Metadata& metadata, const fs::path& folder) {
  const auto config = json_of(folder / "config.json");
  if (!config || !config->is_object()) return false;
  return config->contains("quantization") || metadata.name.identifier.starts_with("mlx-community/");
}

/// <publisher>/<model>, both checked names of one level.
fs::path two_levels(const Metadata& metadata) {
  std::string publisher = "local", model = metadata.name.folder_name();
  if (metadata.name.source == Source::kHuggingFace) {
    const std::string repository = hub_name(metadata.name).repository;
    const size_t slash = repository.find('/');
    publisher = slash == repository.npos ? "huggingface" : repository.substr(0, slash);
    model = slash == repository.npos ? repository : repository.substr(slash + 1);
  } else if (metadata.name.source == Source::kOllama) {
    const OllamaName name = ollama_name(metadata.name);
    publisher = name.name_space == "library" ? "ollama" : name.name_space;
    model = name.model + "-" + name.tag;
  } else {
    model = fs::path(metadata.name.identifier).stem().string();
  }
  const fs::path path = fs::path(publisher) / model;
  files::check_relative_path(path.string(), "LM Studio's folder");
  return path;
}

/// Names in LM Studio's folder and the files of ours behind them.
std::map<std::string, fs::path> links_for(const Metadata& metadata, const fs::path& folder) {
  std::map<std::string, fs::path> links;
  const bool any_gguf = std::any_of(metadata.files.begin(), metadata.files.end(),
                                    [](const FileRecord& file) { return is_gguf(file.name); });
  if (!any_gguf && !is_mlx_model(metadata, folder)) return links;
  for (const FileRecord& file : metadata.files) {
    if (any_gguf && !is_gguf(file.name)) continue;
    std::string name = any_gguf ? fs::path(file.name).filename().string() : file.name;
    if (metadata.name.source == Source::kOllama && name == "model.gguf")  // what people look for
      name = two_levels(metadata).filename().string() + ".gguf";
    if (!name.starts_with('.')) links.emplace(name, folder / file.name);
  }
  return links;
}

/// Which names in a model's folder there are ours. What LM Studio downloaded itself is not in it
/// and is never taken back, though `sync` may have made it one file with ours.
fs::path record_path(const fs::path& lm_studio_home, const fs::path& relative) {
  return lm_studio_home / ".mlx-cache" / (relative.string() + ".json");
}

std::set<std::string> recorded_names(const fs::path& record) {
  std::set<std::string> names;
  const auto json = json_of(record);
  if (json && json->is_object() && json->contains("files") && (*json)["files"].is_array())
    for (const Json& name : (*json)["files"])
      if (name.is_string()) names.insert(name.get<std::string>());
  return names;
}

StoredModel stored_model(const fs::path& path, int level) {
  StoredModel model;
  model.name = local_model_name(path.string());
  model.place = Place::kLmStudio;
  model.path = path;
  if (level != 2)
    model.not_shareable =
        "LM Studio does not show it: models lie in <publisher>/<model>/ below its folder";
  return model;
}

}  // namespace

fs::path lm_studio_models(const fs::path& lm_studio_home) {
  const auto settings = json_of(lm_studio_home / "settings.json");
  if (settings && settings->is_object() && settings->contains("downloadsFolder") &&
      (*settings)["downloadsFolder"].is_string()) {
    const fs::path chosen = (*settings)["downloadsFolder"].get<std::string>();
    std::error_code ignored;
    if (chosen.is_absolute() && fs::is_directory(chosen, ignored)) return chosen;
  }
  return lm_studio_home / "models";
}

Inventory read_lm_studio(const fs::path& lm_studio_home) {
  Inventory inventory;
  inventory.place = Place::kLmStudio;
  inventory.root = lm_studio_models(lm_studio_home);
  std::map<fs::path, StoredModel> models;
  try {
    inventory.present = files::resolved_identity(inventory.root).has_value();
    if (!inventory.present) return inventory;
    const fs::path root = fs::canonical(inventory.root);
    files::walk_tree(
        root,
        [&](const files::TreeEntry& entry) {
          if (entry.identity.kind != files::FileKind::kFile || entry.relative.starts_with('.') ||
              entry.relative.find("/.") != std::string::npos)
            return;
          // A file belongs to the folder two levels down, or to its own where there is none.
          const fs::path inside = entry.relative;
          const std::vector<fs::path> parts(inside.begin(), inside.end());
          const int level = static_cast<int>(std::min<size_t>(parts.size() - 1, 2));
          if (level < 2 && !is_weight_file(entry.path)) return;
          fs::path folder = root;
          for (int i = 0; i < level; ++i) folder /= parts[static_cast<size_t>(i)];
          auto [at, is_new] = models.try_emplace(folder);
          if (is_new) at->second = stored_model(folder, level);
          at->second.files.push_back({.name = entry.path.lexically_relative(folder).string(),
                                      .path = entry.path,
                                      .identity = entry.identity,
                                      .policy = kFoundPolicy});
        },
        [&](const fs::path& path, const std::string& reason) {
          inventory.problems.push_back(files::escaped(path.string()) + ": " + reason);
        });
  } catch (const std::exception& error) {
    inventory.problems.emplace_back(error.what());
  }
  for (auto& [path, model] : models) inventory.models.push_back(std::move(model));
  return inventory;
}

fs::path publish_to_lm_studio(const fs::path& lm_studio_home, const Metadata& metadata,
                              const fs::path& model_folder) {
  const auto links = links_for(metadata, model_folder);
  if (links.empty()) return {};
  const fs::path models = lm_studio_models(lm_studio_home);
  const fs::path relative = two_levels(metadata);
  const files::Folder root = files::Folder::open_or_create(models);
  const fs::path record = record_path(lm_studio_home, relative);
  std::set<std::string> ours = recorded_names(record);
  for (const auto& [name, source] : links) {
    const std::string inside = (relative / name).string();
    if (root.find(inside)) continue;
    const std::string parent = fs::path(inside).parent_path().string();
    const files::Folder folder = root.subfolder(parent, true);
    const std::string temporary = files::temporary_name();
    files::make_link(source, folder.path() / temporary, kPublishPolicy);
    try {
      folder.rename(temporary, fs::path(inside).filename().string());
    } catch (const Error&) {
      folder.remove_file(temporary);
      throw;
    }
    ours.insert(name);
    fs::create_directories(record.parent_path());
    write_file_atomically(record, Json{{"files", ours}}.dump() + "\n");
  }
  return models / relative;
}

std::optional<Publication> published_in_lm_studio(const fs::path& lm_studio_home,
                                                  const Metadata& metadata,
                                                  const fs::path& model_folder) {
  const fs::path relative = two_levels(metadata);
  const std::set<std::string> made = recorded_names(record_path(lm_studio_home, relative));
  std::error_code error;
  const fs::path folder = fs::canonical(lm_studio_models(lm_studio_home), error) / relative;
  if (made.empty() || error || !files::identity_of(folder)) return std::nullopt;
  Publication publication{.place = Place::kLmStudio, .name = relative.string()};
  std::set<std::string> ours;
  for (const auto& [name, source] : links_for(metadata, model_folder)) {
    const auto there = files::identity_of(folder / name);
    const auto own = files::resolved_identity(source);
    if (!made.contains(name) || !there || !own || !files::same_file(*there, *own)) continue;
    ours.insert(name);
    publication.files.push_back({folder / name, source.lexically_relative(model_folder).string()});
  }
  bool all_ours = true;
  files::walk_tree(
      folder,
      [&](const files::TreeEntry& entry) {
        all_ours = all_ours && (entry.relative.starts_with('.') || ours.contains(entry.relative));
      },
      [&](const fs::path&, const std::string&) { all_ours = false; });
  if (all_ours && !ours.empty()) publication.listing = folder;
  return publication;
}

int withdraw_from_lm_studio(const fs::path& lm_studio_home, const Metadata& metadata,
                            const fs::path& model_folder) {
  const fs::path models = lm_studio_models(lm_studio_home);
  if (!files::resolved_identity(models)) return 0;
  const fs::path relative = two_levels(metadata);
  const files::Folder root = files::Folder::open(models);
  const fs::path record = record_path(lm_studio_home, relative);
  const std::set<std::string> made = recorded_names(record);
  int removed = 0;
  for (const auto& [name, source] : links_for(metadata, model_folder)) {
    if (!made.contains(name)) continue;
    const auto there = root.find((relative / name).string());
    const auto ours = files::resolved_identity(source);
    if (there && ours && files::same_file(*there, *ours))
      removed += root.remove_file((relative / name).string());
    std::error_code ignored;  // folders below the model's, when they are empty
    for (fs::path above = fs::path(name).parent_path(); !above.empty(); above = above.parent_path())
      if (!fs::remove(models / relative / above, ignored)) break;
  }
  std::error_code ignored;
  if (fs::remove(record, ignored) && fs::remove(record.parent_path(), ignored))
    fs::remove(lm_studio_home / ".mlx-cache", ignored);
  // Only empty folders go.
  if (fs::remove(models / relative, ignored)) fs::remove(models / relative.parent_path(), ignored);
  return removed;
}

}  // namespace toolkit::model_store
