#include "core/model_store/ollama/store_folder.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <span>
#include <thread>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/files/safe_path.h"
#include "core/hash/hasher.h"

namespace toolkit::model_store::ollama {

namespace fs = std::filesystem;

namespace {

constexpr size_t kLongestManifest = size_t{64} << 20;

/// Hard link first: Ollama only reads blobs or renames over them. A symlink would dangle.
const files::LinkPolicy kBlobPolicy = {files::LinkKind::kHardLink, files::LinkKind::kClone};

struct FoundManifest {
  fs::path path;
  OllamaName name;
  std::string bytes;
  Manifest manifest;
};

/// Names in a folder in byte order; what cannot be listed is a problem.
std::vector<std::string> names_in(const fs::path& folder, std::vector<std::string>& problems) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator at(folder, error);
  for (; !error && at != fs::directory_iterator(); at.increment(error))
    names.push_back(at->path().filename().string());
  if (error)
    problems.push_back(fmt::format("{}: {}", files::escaped(folder.string()), error.message()));
  std::sort(names.begin(), names.end());
  return names;
}

/// Ollama writes a manifest in place: what does not parse may be half written.
std::optional<FoundManifest> read_manifest(const fs::path& path, const OllamaName& name,
                                           std::vector<std::string>& problems) {
  for (int attempt = 0;; ++attempt) {
    try {
      std::string bytes = read_file(path, kLongestManifest);
      Manifest manifest = parse_manifest(bytes, files::escaped(path.string()));
      return FoundManifest{path, name, std::move(bytes), std::move(manifest)};
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kNotFound && !files::identity_of(path)) return std::nullopt;
      if (attempt == 1) {
        problems.emplace_back(error.what());
        return std::nullopt;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  }
}

/// Throws Error(kUserInput) unless the parts are what Ollama takes for a name.
void check_name(const OllamaName& name) {
  parse_model_name(
      fmt::format("ollama://{}/{}/{}:{}", name.host, name.name_space, name.model, name.tag));
}

/// Folders are followed where they are symlinks, as Ollama does (a user's choice of place).
void walk_manifests(const fs::path& folder, std::vector<std::string>& parts,
                    std::vector<std::string>& problems,
                    const std::function<void(FoundManifest)>& visit) {
  for (const std::string& name : names_in(folder, problems)) {
    if (name.starts_with('.')) continue;  // .DS_Store and our own temporaries; no part of a name
    const fs::path path = folder / name;
    std::error_code ignored;
    const bool is_folder = fs::is_directory(path, ignored);
    if (is_folder != (parts.size() < 3)) continue;  // Ollama looks at the fourth level only
    parts.push_back(name);
    if (is_folder) {
      walk_manifests(path, parts, problems, visit);
    } else {
      const OllamaName found{parts[0], parts[1], parts[2], parts[3]};
      try {
        check_name(found);
        if (auto manifest = read_manifest(path, found, problems)) visit(std::move(*manifest));
      } catch (const Error& error) {
        problems.push_back(fmt::format("{}: {}", files::escaped(path.string()), error.what()));
      }
    }
    parts.pop_back();
  }
}

void for_each_manifest(const fs::path& ollama_models, std::vector<std::string>& problems,
                       const std::function<void(FoundManifest)>& visit) {
  const fs::path manifests = ollama_models / "manifests";
  if (!files::resolved_identity(manifests)) return;
  std::vector<std::string> parts;
  walk_manifests(manifests, parts, problems, visit);
}

/// Why a blob cannot be used as the manifest has it, or "".
std::string trouble_with(const fs::path& path, const std::optional<files::Identity>& identity,
                         const Layer& layer) {
  const std::string blob = path.filename().string();
  if (!identity) return fmt::format("{} is missing; `ollama pull` brings it again", blob);
  if (identity->kind != files::FileKind::kFile) return fmt::format("{} is not a file", blob);
  if (identity->size_bytes != layer.size_bytes)
    return fmt::format("{} has {} bytes, its manifest says {}", blob, identity->size_bytes,
                       layer.size_bytes);
  return "";
}

StoredModel stored_model(const fs::path& ollama_models, const FoundManifest& found) {
  StoredModel model;
  model.name = to_model_name(found.name);
  model.place = Place::kOllama;
  model.path = found.path;
  model.revision = hash::hash_bytes(hash::Algorithm::kSha256,
                                    std::span(reinterpret_cast<const uint8_t*>(found.bytes.data()),
                                              found.bytes.size()))
                       .hex;
  if (found.manifest.one_blob_per_tensor())
    model.not_shareable = "one blob per tensor: other programs cannot use them";
  for (const NamedLayer& named : named_layers(found.manifest)) {
    const fs::path path = blob_path(ollama_models, named.layer->digest);
    const auto itself = files::identity_of(path);
    const auto identity = files::resolved_identity(path);
    const std::string trouble = trouble_with(path, identity, *named.layer);
    if (!trouble.empty()) {
      model.not_shareable = trouble;
      continue;
    }
    StoredFile file{.name = named.name,
                    .path = path,
                    .identity = *identity,
                    .claimed = named.layer->digest,
                    .policy = kBlobPolicy};
    if (itself->kind == files::FileKind::kSymlink) {  // leads into another place, whose rules count
      file.path = fs::canonical(path);
      file.policy = {};
    }
    model.files.push_back(std::move(file));
  }
  if (const auto identity = files::resolved_identity(found.path))
    model.files.push_back({.name = kManifestFile, .path = found.path, .identity = *identity});
  return model;
}

}  // namespace

fs::path blob_path(const fs::path& ollama_models, const hash::Digest& digest) {
  return ollama_models / "blobs" / ("sha256-" + digest.hex);
}

fs::path manifest_path(const fs::path& ollama_models, const OllamaName& name) {
  return ollama_models / "manifests" / name.host / name.name_space / name.model / name.tag;
}

Inventory read_store(const fs::path& ollama_models) {
  Inventory inventory;
  inventory.place = Place::kOllama;
  inventory.root = ollama_models;
  inventory.present = files::resolved_identity(ollama_models).has_value();
  if (!inventory.present) return inventory;
  for_each_manifest(ollama_models, inventory.problems, [&](const FoundManifest& found) {
    inventory.models.push_back(stored_model(ollama_models, found));
  });
  return inventory;
}

std::set<std::string> named_blobs(const fs::path& ollama_models, const fs::path& except,
                                  std::vector<std::string>& problems) {
  std::set<std::string> named;
  for_each_manifest(ollama_models, problems, [&](const FoundManifest& found) {
    if (found.path == except) return;
    named.insert(found.manifest.config.digest.hex);
    for (const Layer& layer : found.manifest.layers) named.insert(layer.digest.hex);
  });
  return named;
}

}  // namespace toolkit::model_store::ollama
