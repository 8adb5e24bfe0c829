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

/// Why an app stands in the registry.
enum class AppKind {
  kLinked,   // by `link`: what it uses is never removed
  kProgram,  // a program whose own store got the model; it counts as long as that lists it
  kSeen,     // a program that loaded a model once; only the time counts
};

/// One model in use by one app.
struct AppUse {
  std::string name;
  std::filesystem::path path;
  AppKind kind = AppKind::kLinked;
  std::string last_used;
};

/// A row of `models`.
struct ModelRecord {
  int64_t id = 0;
  ModelName name;
  std::filesystem::path local_path;
  uint64_t size_bytes = 0;
  std::string downloaded_at, checksum, revision, endpoint;
  bool is_symlink = false;  // found elsewhere, shown by a link; not ours to keep
  bool partial = false;     // patterns left files of the source out
  std::string state;        // "ready", "damaged" (verify), "missing"
  std::string last_used;    // by any app or `path`; empty: never
  std::vector<AppUse> uses;
};

/// A row of `apps`.
struct AppRecord {
  int64_t id = 0;
  std::string name;
  std::filesystem::path path;
  AppKind kind = AppKind::kLinked;
  std::string registered_at;
  int64_t models = 0;
};

/// `registry.db`: models, apps, which app uses which model, files with their hashes. A view of what
/// lies on disk that can be made again (rebuild.h): files are published before their row is
/// written, and a row goes before its files do.
class Registry {
 public:
  /// Makes registry.db or brings it to the newest schema. Throws Error(kNotFound) for kReadOnly
  /// when there is none, store::DamagedDatabase, Error(kUnsupported) when it is newer than this
  /// program.
  static Registry open(const Layout& layout, store::OpenMode mode);
  /// Empty, gone with this object: what a command reads where there is no store yet.
  static Registry in_memory();

  std::vector<ModelRecord> models();
  /// Letters of hub and Ollama names are folded, as the hub, Ollama and many disks do.
  std::optional<ModelRecord> find(const ModelName& name);
  /// Adds or replaces the model with its files; its id and usage stay. Throws Error(kUserInput)
  /// when the same name stands there in other letters.
  ModelRecord put(const Metadata& metadata, const std::filesystem::path& local_path,
                  bool is_symlink);
  void set_state(const ModelName& name, const std::string& state);
  void touch(const ModelName& name);  // used now, by nobody in particular
  void remove(const ModelName& name);
  std::vector<FileRecord> files_of(const ModelName& name);
  /// Files of whole models that our own store keeps (no symlinks) with this content.
  std::vector<std::filesystem::path> files_with(const std::string& sha256);

  std::vector<AppRecord> apps();
  /// Adds an app or renames it. A path that was only seen can become linked, never the other way
  /// round.
  AppRecord put_app(const std::string& name, const std::filesystem::path& path,
                    AppKind kind = AppKind::kLinked);
  bool remove_app(const std::filesystem::path& path);  // with its usage
  /// Notes that an app (which put_app knows) uses a model now. Throws Error(kNotFound).
  void use(const ModelName& name, const std::filesystem::path& app_path);
  void release(const ModelName& name, const std::filesystem::path& app_path);

  /// Space that sharing won, for `stats`: a clone is seen by no other means.
  void note_saving(const std::filesystem::path& path, const std::string& place,
                   const std::string& link, uint64_t freed_bytes, const std::string& journal);
  void forget_savings(const std::string& journal);  // after its undo
  uint64_t cloned_bytes();                          // of files that are still there

  store::Database& database() { return database_; }

 private:
  explicit Registry(store::Database database) : database_(std::move(database)) {}
  store::Database database_;
};

}  // namespace toolkit::model_store
