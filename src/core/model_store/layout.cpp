#include "core/model_store/layout.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string_view>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/files/identity.h"
#include "core/model_store/settings.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

constexpr const char* kMarker = ".mlx-cache";
constexpr const char* kMarkerText =
    "This folder is kept by mlx-cache: `mlx-cache status` lists what is in it.\n";

std::function<void(const std::string&)> tell_who_is_waited_for;
std::mutex tell_mutex;

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error)
    fail(ErrorKind::kIo,
         "{}: cannot make this folder: {}. Choose another with `mlx-cache config "
         "cache_dir <folder>`",
         path.string(), error.message());
}

/// Only what may lie in a store that was just begun.
void refuse_foreign_folder(const Layout& layout) {
  std::error_code error;
  for (fs::directory_iterator entry(layout.root, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name == "config.yaml" || name.starts_with("." + std::string(kMarker))) continue;
    fail(ErrorKind::kUserInput,
         "{}: is not a model cache: it holds '{}' and no file '{}'. Choose an empty folder with "
         "`mlx-cache config cache_dir <folder>`; if this is a cache whose marker was lost, make an "
         "empty file of that name",
         layout.root.string(), name, kMarker);
  }
  if (error) fail(ErrorKind::kIo, "{}: cannot be read: {}", layout.root.string(), error.message());
}

void require_one_file_system(const Layout& layout) {
  const auto models = files::resolved_identity(layout.models());
  const auto incoming = files::resolved_identity(layout.incoming());
  if (!models || !incoming)
    fail(ErrorKind::kIo, "{}: models/ or incoming/ leads nowhere", layout.root.string());
  if (models->device != incoming->device)
    fail(ErrorKind::kUserInput,
         "{}: models/ and incoming/ lie on different volumes, finished downloads could only be "
         "copied; let both be folders of one volume",
         layout.root.string());
}

/// config.yaml with a word on what it is for; one that is there stays. Without it everything works.
void explain_settings(const Layout& layout) {
  constexpr std::string_view kText =
      "# Settings of this cache: `mlx-cache config` lists and changes them. They go before "
      "section\n"
      "# mlxcache of ~/.mlx-infrastructure/config.yaml.\n";
  // Never over one that somebody writes at this moment.
  const int file = ::open(layout.settings().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (file < 0) return;
  if (::write(file, kText.data(), kText.size()) < 0)
    log_info("{}: {}", layout.settings().string(), std::strerror(errno));
  ::close(file);
}

/// logs/mlx-cache.log leads to the suite's log. Without it everything works.
void link_log(const Layout& layout) {
  const fs::path link = layout.logs() / "mlx-cache.log";
  std::error_code error;
  if (fs::exists(fs::symlink_status(link, error))) return;
  fs::create_symlink(fs::absolute(home_folder(), error) / "logs" / "mlx-cache.log", link, error);
}

files::FileLock take_lock(const Layout& layout, const std::string& name, files::LockMode mode,
                          const std::string& purpose) {
  const fs::path path = layout.locks() / name;
  return files::FileLock::take(path, mode, purpose, std::chrono::hours(24),
                               [&](const std::string& holder) {
                                 log_info("waits for {}: {}", name, holder);
                                 const std::lock_guard guard(tell_mutex);
                                 if (tell_who_is_waited_for) tell_who_is_waited_for(holder);
                               });
}

}  // namespace

Layout default_layout() {
  const char* given = std::getenv("MLX_CACHE_DIR");
  const std::string path = given && *given ? given : configured_cache_dir();
  fs::path root = fs::absolute(expanded_path(path)).lexically_normal();
  if (!root.has_filename()) root = root.parent_path();  // a '/' at the end
  return {root};
}

void create_store(const Layout& layout) {
  make_folder(layout.root);
  if (!store_is_there(layout)) {
    refuse_foreign_folder(layout);
    // First of all: a store begun and cut off is known as ours the next time.
    write_file_atomically(layout.root / kMarker, kMarkerText);
  }
  for (const fs::path& folder :
       {layout.models(), layout.incoming(), layout.journal(), layout.locks(), layout.logs()})
    make_folder(folder);
  require_one_file_system(layout);
  link_log(layout);
  explain_settings(layout);
}

bool store_is_there(const Layout& layout) {
  std::error_code error;
  return fs::is_regular_file(layout.root / kMarker, error);
}

void when_waiting(std::function<void(const std::string& holder)> tell) {
  const std::lock_guard guard(tell_mutex);
  tell_who_is_waited_for = std::move(tell);
}

files::FileLock lock_store(const Layout& layout, files::LockMode mode, const std::string& purpose) {
  return take_lock(layout, "store", mode, purpose);
}

files::FileLock lock_model(const Layout& layout, const ModelName& name,
                           const std::string& purpose) {
  return take_lock(layout, model_lock_name(name.folder_name()), files::LockMode::kExclusive,
                   purpose);
}

files::FileLock lock_blob(const Layout& layout, const std::string& hex,
                          const std::string& purpose) {
  return take_lock(layout, "blob-" + hex, files::LockMode::kExclusive, purpose);
}

std::string model_lock_name(const std::string& folder_name) {
  return "model-" + folder_name;
}

}  // namespace toolkit::model_store
