#include "core/model_store/registry/locate.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/nearest.h"
#include "core/files/identity.h"
#include "core/files/tree.h"
#include "core/model_store/registry/registry.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void not_in_cache(const ModelName& name, const std::vector<ModelRecord>& models) {
  std::vector<std::string> known;
  for (const ModelRecord& model : models) known.push_back(model.name.uri());
  fail(ErrorKind::kNotFound, "{} is not in the cache: `mlx-cache add {}` brings it.{}", name.uri(),
       name.uri(), did_you_mean(name.uri(), known));
}

std::string ending(const fs::path& path) {
  std::string text = path.extension().string();
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char letter) { return std::tolower(letter); });
  return text;
}

bool is_weight(const fs::path& path) {
  for (const char* known : {".safetensors", ".bin", ".npz", ".pt", ".pth", ".onnx", ".gguf"})
    if (ending(path) == known) return true;
  return false;
}

/// Parts 2, 3, ... of a GGUF that was split: the loader finds them beside the first.
bool is_later_part(const std::string& name) {
  const size_t of = name.rfind("-of-");
  if (of == name.npos || of < 6) return false;
  const std::string number = name.substr(of - 5, 5);
  return std::all_of(number.begin(), number.end(),
                     [](unsigned char c) { return std::isdigit(c); }) &&
         number != "00001";
}

/// The folder, or the .gguf in it if that is the only weight.
fs::path loadable(const fs::path& folder) {
  fs::path gguf;
  int weights = 0;
  // Through a symlinked folder too: walk_tree does not follow its root otherwise.
  files::walk_tree(
      fs::canonical(folder),
      [&](const files::TreeEntry& entry) {
        const std::string name = entry.path.filename().string();
        if (!is_weight(entry.path) || is_later_part(name) || name.starts_with("mmproj")) return;
        ++weights;
        if (ending(entry.path) == ".gguf") gguf = folder / entry.relative;
      },
      [](const fs::path&, const std::string&) {});
  return weights == 1 && !gguf.empty() ? gguf : folder;
}

}  // namespace

fs::path locate_model(const Layout& layout, const ModelName& name, const fs::path& program) {
  std::error_code error;
  if (!store_is_there(layout) || !fs::exists(layout.registry(), error)) not_in_cache(name, {});
  const auto model = [&] {
    Registry registry = Registry::open(layout, store::OpenMode::kReadOnly);
    auto found = registry.find(name);
    if (!found) not_in_cache(name, registry.models());
    return *found;
  }();
  // By its name, so that a cache that was moved is still whole.
  const fs::path folder = layout.model_folder(model.name);
  const auto there = files::resolved_identity(folder);
  if (!there || there->kind != files::FileKind::kFolder)
    fail(ErrorKind::kNotFound, "{}: {} is not there{}; `mlx-cache add {}` brings it again",
         name.uri(), folder.string(),
         model.is_symlink ? " (the program that has it removed it, or its volume is away)" : "",
         name.uri());
  if (model.state == "damaged")
    fail(ErrorKind::kIo,
         "{} is damaged (found by `mlx-cache verify`): `mlx-cache add {}` repairs it", name.uri(),
         name.uri());
  try {
    Registry registry = Registry::open(layout, store::OpenMode::kReadWrite);
    if (program.empty()) {
      registry.touch(model.name);
    } else {
      registry.put_app(program.filename().string(), program, AppKind::kSeen);
      registry.use(model.name, program);
    }
  } catch (const Error& unwritable) {
    log_info("use of {} was not noted: {}", name.uri(), unwritable.what());
  }
  return loadable(folder);
}

}  // namespace toolkit::model_store
