#include "projects/cache/rests.h"

#include <algorithm>
#include <cctype>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/files/folder.h"
#include "core/files/tree.h"
#include "core/model_store/folders/lm_studio.h"

namespace toolkit::cache {

namespace fs = std::filesystem;

namespace {

bool is_our_temporary(const std::string& name) {
  constexpr size_t kDigits = 16;
  return name.starts_with(files::kTemporaryPrefix) &&
         name.size() == files::kTemporaryPrefix.size() + kDigits &&
         std::all_of(name.begin() + static_cast<std::ptrdiff_t>(files::kTemporaryPrefix.size()),
                     name.end(), [](char letter) { return std::isxdigit(letter) != 0; });
}

bool is_our_incomplete(const files::TreeEntry& entry) {
  const std::string name = entry.path.filename().string();
  return entry.path.parent_path().filename() == "blobs" && name.ends_with(".incomplete") &&
         (name.starts_with("file.") || entry.identity.links > 1);
}

// A note of ours that was being written: .mlx-cache/.../.<name>.json.part-<process>-<number>.
bool is_our_half_note(const files::TreeEntry& entry) {
  const std::string name = entry.path.filename().string();
  return name.starts_with('.') && name.find(".json.part-") != std::string::npos &&
         std::find(entry.path.begin(), entry.path.end(), ".mlx-cache") != entry.path.end();
}

void add_rests_below(const fs::path& root, bool is_hub, std::vector<fs::path>& rests) {
  try {
    if (!files::resolved_identity(root)) return;
    files::walk_tree(
        root,
        [&](const files::TreeEntry& entry) {
          if (is_our_temporary(entry.path.filename().string()) || is_our_half_note(entry) ||
              (is_hub && is_our_incomplete(entry)))
            rests.push_back(entry.path);
        },
        [](const fs::path&, const std::string&) {});
  } catch (const Error& error) {
    log_warning("{}", error.what());  // a store that cannot be walked keeps its rests
  }
}

}  // namespace

std::vector<fs::path> find_rests(const model_store::Environment& environment) {
  std::vector<fs::path> rests;
  add_rests_below(environment.hub_cache, true, rests);
  add_rests_below(environment.ollama_models, false, rests);
  add_rests_below(model_store::lm_studio_models(environment.lm_studio_home), false, rests);
  return rests;
}

void remove_rests(const std::vector<fs::path>& rests) {
  for (const fs::path& rest : rests) {
    try {
      files::Folder::open(rest.parent_path()).remove_file(rest.filename().string());
      log_info("{}: left by a process that was ended; removed", rest.string());
    } catch (const Error& error) {
      log_warning("{}", error.what());
    }
  }
}

}  // namespace toolkit::cache
