#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "core/files/lock.h"
#include "core/model_store/name.h"

namespace toolkit::model_store {

/// Where everything lies below the cache folder. Making one touches no disk.
///
///     models/<folder>/        the files of one model and .metadata.json; or one symlink (found
///                             models), then .<folder>.metadata.json beside it
///     registry.db  config.yaml  logs/mlx-cache.log
///     incoming/<digest>.part  downloads on their way, with .state; same file system as models/
///     journal/<id>.jsonl      replaced files (core/files/replace_journal.h)
///     locks/                  files that are only locked, never removed
struct Layout {
  std::filesystem::path root;  // absolute

  std::filesystem::path models() const { return root / "models"; }
  std::filesystem::path model_folder(const ModelName& name) const {
    return models() / name.folder_name();
  }
  std::filesystem::path registry() const { return root / "registry.db"; }
  std::filesystem::path settings() const { return root / "config.yaml"; }
  std::filesystem::path logs() const { return root / "logs"; }
  std::filesystem::path incoming() const { return root / "incoming"; }
  std::filesystem::path journal() const { return root / "journal"; }
  std::filesystem::path locks() const { return root / "locks"; }
};

/// MLX_CACHE_DIR, else cache_dir of the settings, else ~/.mlx-cache.
Layout default_layout();

/// Makes the folders and the marker file `.mlx-cache` that says whose folder it is. Throws
/// Error(kIo | kUserInput): not writable, not ours (a folder with other things in it and no
/// marker), models/ and incoming/ on different file systems.
void create_store(const Layout& layout);

/// False for a folder that is missing or has no marker: an unmounted volume, never "everything is
/// gone".
bool store_is_there(const Layout& layout);

/// Shared while a command reads or adds; exclusive while `clean`, `repair` and `import` decide what
/// is used by nobody. Taken before any other lock.
files::FileLock lock_store(const Layout& layout, files::LockMode mode, const std::string& purpose);
/// One model at a time: add, remove, sync of that model. After lock_store, before a blob's lock.
files::FileLock lock_model(const Layout& layout, const ModelName& name, const std::string& purpose);
/// One download of one content at a time, whichever models want it.
files::FileLock lock_blob(const Layout& layout, const std::string& hex, const std::string& purpose);
/// Name below locks/ of a model's lock: for who only tries it.
std::string model_lock_name(const std::string& folder_name);

/// Who is told, from now on and in this process, whom a lock waits for.
void when_waiting(std::function<void(const std::string& holder)> tell);

}  // namespace toolkit::model_store
