#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/model_store/layout.h"
#include "core/model_store/metadata.h"
#include "core/model_store/name.h"
#include "core/store/database.h"

namespace toolkit::model_store {

/// A row of `models`.
struct ModelRecord {
  int64_t id = 0;
  ModelName name;
  std::filesystem::path local_path;
  uint64_t size_bytes = 0;
  std::string downloaded_at, checksum, revision;
  bool is_symlink = false;  // found elsewhere, shown by a link; not ours to keep
  std::string state;        // "ready", "damaged" (verify), "missing"
  std::string last_used;    // newest of model_usage; empty: never
  std::vector<std::string> apps;
};

/// A row of `apps`.
struct AppRecord {
  int64_t id = 0;
  std::string name;
  std::filesystem::path path;
  std::string registered_at;
  int64_t models = 0;
};

/// `registry.db`: models, apps, which app uses which model, files with their hashes. A view of what
/// lies on disk that can be made again (rebuild.h): files are published before their row is
/// written, and a row goes before its files do.
class Registry {
 public:
  static Registry open(const Layout& layout, store::OpenMode mode);

  std::vector<ModelRecord> models();
  std::optional<ModelRecord> find(const ModelName& name);
  /// Adds or replaces the model with its files.
  ModelRecord put(const Metadata& metadata, const std::filesystem::path& local_path,
                  bool is_symlink);
  void set_state(const ModelName& name, const std::string& state);
  void remove(const ModelName& name);
  /// Files of the models of our own store with this content.
  std::vector<std::filesystem::path> files_with(const std::string& sha256);

  std::vector<AppRecord> apps();
  AppRecord put_app(const std::string& name, const std::filesystem::path& path);
  bool remove_app(const std::filesystem::path& path);                      // with its usage
  void use(const ModelName& name, const std::filesystem::path& app_path);  // now
  void release(const ModelName& name, const std::filesystem::path& app_path);

  store::Database& database() { return database_; }

 private:
  explicit Registry(store::Database database) : database_(std::move(database)) {}
  store::Database database_;
};

}  // namespace toolkit::model_store
