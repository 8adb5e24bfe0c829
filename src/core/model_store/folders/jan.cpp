#include "core/model_store/folders/jan.h"

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/files/safe_path.h"
#include "core/files/tree.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

/// The app is only told where its model lies: the file may be edited by whoever made it.
const files::LinkPolicy kPolicy = {files::LinkKind::kClone, files::LinkKind::kHardLink};

void add_file(const fs::path& jan_data, const std::string& named, const char* name,
              StoredModel& model) {
  if (named.empty()) return;
  fs::path path = named;
  if (path.is_relative()) {
    if (!files::why_unsafe_path(named).empty()) return;
    path = jan_data / path;
  }
  const auto identity = files::identity_of(path);
  if (!identity || identity->kind != files::FileKind::kFile) {
    model.not_shareable = fmt::format("{} is not there", files::escaped(path.string()));
    return;
  }
  model.files.push_back({.name = name, .path = path, .identity = *identity, .policy = kPolicy});
}

}  // namespace

std::string flat_yaml_value(const std::string& text, const std::string& key) {
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    if (!line.starts_with(key + ":")) continue;
    line.erase(0, key.size() + 1);
    const size_t first = line.find_first_not_of(" \t"), last = line.find_last_not_of(" \t\r");
    if (first == line.npos) return "";
    line = line.substr(first, last - first + 1);
    if (line.size() >= 2 && (line.front() == '"' || line.front() == '\'') &&
        line.back() == line.front())
      line = line.substr(1, line.size() - 2);
    return line;
  }
  return "";
}

Inventory read_jan(const fs::path& jan_data) {
  Inventory inventory;
  inventory.place = Place::kJan;
  inventory.root = jan_data;
  for (const char* below : {"models/llamacpp", "llamacpp/models"}) {
    const fs::path folder = jan_data / below;
    try {
      if (!files::resolved_identity(folder)) continue;
      inventory.present = true;
      files::walk_tree(
          folder,
          [&](const files::TreeEntry& entry) {
            if (entry.path.filename() != "model.yml") return;
            try {
              const std::string text = read_file(entry.path, size_t{1} << 20);
              StoredModel model;
              model.place = Place::kJan;
              model.path = entry.path.parent_path();
              model.name = local_model_name(model.path.string());
              add_file(jan_data, flat_yaml_value(text, "model_path"), "model.gguf", model);
              add_file(jan_data, flat_yaml_value(text, "mmproj_path"), "projector.gguf", model);
              inventory.models.push_back(std::move(model));
            } catch (const Error& error) {
              inventory.problems.emplace_back(error.what());
            }
          },
          [&](const fs::path& path, const std::string& reason) {
            inventory.problems.push_back(files::escaped(path.string()) + ": " + reason);
          });
    } catch (const Error& error) {
      inventory.problems.emplace_back(error.what());
    }
  }
  return inventory;
}

}  // namespace toolkit::model_store
