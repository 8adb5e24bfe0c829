#include "core/model_store/folders/plain_folder.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "core/base/error.h"
#include "core/files/safe_path.h"
#include "core/files/tree.h"
#include "core/hash/hasher.h"
#include "core/model_store/weight_file.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

/// An app may edit its own files in place: a clone keeps that to itself.
const files::LinkPolicy kFolderPolicy = {files::LinkKind::kClone, files::LinkKind::kHardLink};

/// "x-00001-of-00003.gguf" and its like are one model: the name without the number.
std::string gguf_stem(const fs::path& path) {
  std::string stem = path.stem().string();
  const size_t of = stem.rfind("-of-");
  const auto digits = [&](size_t from, size_t to) {
    return from < to && to <= stem.size() &&
           std::all_of(
               stem.begin() + static_cast<long>(from), stem.begin() + static_cast<long>(to),
               [](unsigned char letter) { return std::isdigit(letter); });
  };
  if (of != stem.npos && of > 6 && stem[of - 6] == '-' && digits(of - 5, of) &&
      digits(of + 4, stem.size()))
    stem.resize(of - 6);
  return stem;
}

bool is_hidden(const std::string& relative) {
  return relative.starts_with('.') || relative.find("/.") != relative.npos;
}

/// The files that lie directly in one folder.
struct FolderFiles {
  std::vector<files::TreeEntry> entries;
  bool is_model = false;  // it holds config.json or weights that are no GGUF
};

StoredFile stored_file(const files::TreeEntry& entry, const std::string& name) {
  return {.name = name, .path = entry.path, .identity = entry.identity, .policy = kFolderPolicy};
}

StoredModel empty_model(const fs::path& path) {
  StoredModel model;
  model.name = local_model_name(path.string());
  model.place = Place::kFolder;
  model.path = path;
  return model;
}

void add_models(const fs::path& folder, const FolderFiles& found,
                std::vector<StoredModel>& models) {
  if (found.is_model) {
    StoredModel model = empty_model(folder);
    for (const auto& entry : found.entries)
      model.files.push_back(stored_file(entry, entry.path.filename().string()));
    models.push_back(std::move(model));
    return;
  }
  std::map<std::string, StoredModel> by_stem;
  for (const auto& entry : found.entries) {
    if (ending_of(entry.path) != ".gguf") continue;
    auto [at, is_new] = by_stem.try_emplace(gguf_stem(entry.path));
    if (is_new) at->second = empty_model(entry.path);
    at->second.files.push_back(stored_file(entry, entry.path.filename().string()));
  }
  for (auto& [stem, model] : by_stem) models.push_back(std::move(model));
}

/// What the name leads to: a file, or nothing that can be taken in.
std::optional<files::Identity> file_behind(const fs::path& path) {
  auto identity = files::resolved_identity(path);
  if (identity && identity->kind != files::FileKind::kFile) identity.reset();
  return identity;
}

std::vector<OfferedFile> files_below(const fs::path& folder) {
  std::vector<OfferedFile> offered;
  std::set<std::string> folded;
  std::string unreadable;
  files::walk_tree(
      folder,
      [&](const files::TreeEntry& entry) {
        if (is_hidden(entry.relative)) return;
        const auto identity = file_behind(entry.path);
        if (!identity) return;
        files::check_relative_path(entry.relative, folder.string());
        if (!folded.insert(files::folded_path(entry.relative)).second)
          fail(ErrorKind::kUserInput,
               "{}: '{}' differs from another file in its letters' case only; such a model cannot "
               "lie on every disk: rename one",
               folder.string(), files::escaped(entry.relative));
        OfferedFile file;
        file.name = entry.relative;
        file.size_bytes = identity->size_bytes;
        file.local_path = entry.path;
        offered.push_back(std::move(file));
      },
      [&](const fs::path& path, const std::string& reason) {
        if (unreadable.empty()) unreadable = path.string() + ": " + reason;
      });
  if (!unreadable.empty())
    fail(ErrorKind::kIo, "{}; a model is taken in whole or not at all", files::escaped(unreadable));
  return offered;
}

}  // namespace

Inventory read_plain_folder(const fs::path& root) {
  Inventory inventory;
  inventory.place = Place::kFolder;
  inventory.root = root;
  std::map<fs::path, FolderFiles> folders;
  try {
    inventory.present = files::resolved_identity(root).has_value();
    if (!inventory.present) return inventory;
    files::walk_tree(
        fs::canonical(root),
        [&](const files::TreeEntry& entry) {
          if (entry.identity.kind != files::FileKind::kFile || is_hidden(entry.relative)) return;
          FolderFiles& folder = folders[entry.path.parent_path()];
          const std::string name = entry.path.filename().string();
          folder.is_model = folder.is_model || name == "config.json" ||
                            (is_weight_file(entry.path) && ending_of(entry.path) != ".gguf");
          folder.entries.push_back(entry);
        },
        [&](const fs::path& path, const std::string& reason) {
          inventory.problems.push_back(files::escaped(path.string()) + ": " + reason);
        });
  } catch (const std::exception& error) {  // unreadable root, or beyond the limits of a walk
    inventory.problems.emplace_back(error.what());
  }
  for (const auto& [path, found] : folders) {
    try {
      add_models(path, found, inventory.models);
    } catch (const Error& error) {  // a name that cannot be written down; the others are fine
      inventory.problems.emplace_back(error.what());
    }
  }
  return inventory;
}

Offer make_local_offer(const fs::path& path,
                       const std::function<void(uint64_t done, uint64_t total)>& progress) {
  std::error_code error;
  const fs::path whole = fs::canonical(path, error);
  if (error) fail(ErrorKind::kNotFound, "{}: {}", files::escaped(path.string()), error.message());
  Offer offer;
  offer.name = local_model_name(whole.string());
  offer.endpoint = "file";
  if (fs::is_directory(whole)) {
    offer.files = files_below(whole);
  } else if (const auto identity = file_behind(whole); identity && ending_of(whole) == ".gguf") {
    OfferedFile file;
    file.name = whole.filename().string();
    files::check_relative_path(file.name, whole.parent_path().string());
    file.size_bytes = identity->size_bytes;
    file.local_path = whole;
    offer.files.push_back(std::move(file));
  } else {
    fail(ErrorKind::kUserInput,
         "{}: expected the folder of a model or one .gguf; give the folder "
         "that the file lies in",
         files::escaped(whole.string()));
  }
  const auto is_weight = [](const OfferedFile& file) { return is_weight_file(file.name); };
  if (std::none_of(offer.files.begin(), offer.files.end(), is_weight))
    fail(ErrorKind::kUserInput,
         "{}: expected weights (.safetensors, .gguf, .bin, .pt, .pth, .npz, .onnx, .ckpt), found "
         "{} other files",
         files::escaped(whole.string()), offer.files.size());
  uint64_t total = 0, done = 0;
  for (const OfferedFile& file : offer.files) total += file.size_bytes;
  for (OfferedFile& file : offer.files) {
    file.digest = hash::hash_file(file.local_path, hash::Algorithm::kSha256, [&](uint64_t now) {
      if (progress) progress(done + now, total);
    });
    done += file.size_bytes;
  }
  return offer;
}

}  // namespace toolkit::model_store
