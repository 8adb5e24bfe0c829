#include "core/model_store/registry/registry.h"

#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "core/base/natural_order.h"
#include "core/files/identity.h"
#include "core/files/safe_path.h"
#include "core/model_store/registry/put_models.h"
#include "core/model_store/registry/schema.h"
#include "core/model_store/utc_time.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

constexpr const char* kModelColumns =
    "m.id, m.source, m.identifier, m.local_path, m.size_bytes, m.downloaded_at, m.checksum, "
    "m.revision, m.is_symlink, m.state, m.last_used, m.endpoint, m.partial, "
    "a.name, a.path, a.kind, u.last_used";
constexpr const char* kModelTables =
    " FROM models m LEFT JOIN model_usage u ON u.model_id = m.id LEFT JOIN apps a ON a.id = "
    "u.app_id ";
constexpr const char* kSameName =
    "(identifier = ?1 OR (source <> 'local' AND lower(identifier) = lower(?1))) AND source = ?2";
constexpr int kFirstUseColumn = 13;

constexpr const char* kKinds[] = {"linked", "program", "seen"};

const char* kind_text(AppKind kind) {
  return kKinds[static_cast<int>(kind)];
}

AppKind parse_kind(const std::string& text) {
  return text == kKinds[1]   ? AppKind::kProgram
         : text == kKinds[2] ? AppKind::kSeen
                             : AppKind::kLinked;
}

Source parse_source(const std::string& text) {
  for (const Source source : {Source::kOllama, Source::kLocal})
    if (text == source_name(source)) return source;
  return Source::kHuggingFace;
}

ModelRecord model_from(const store::Statement& row) {
  ModelRecord model;
  model.id = row.integer(0);
  model.name = {parse_source(row.text(1)), row.text(2)};
  model.local_path = row.text(3);
  model.size_bytes = static_cast<uint64_t>(row.integer(4));
  model.downloaded_at = row.text(5);
  model.checksum = row.text(6);
  model.revision = row.text(7);
  model.is_symlink = row.integer(8) != 0;
  model.state = row.text(9);
  model.last_used = row.text(10);
  model.endpoint = row.text(11);
  model.partial = row.integer(12) != 0;
  return model;
}

void add_use(ModelRecord& model, const store::Statement& row) {
  if (row.is_null(kFirstUseColumn)) return;
  const AppUse use{row.text(kFirstUseColumn), row.text(kFirstUseColumn + 1),
                   parse_kind(row.text(kFirstUseColumn + 2)), row.text(kFirstUseColumn + 3)};
  // What we show to a program is not yet used by it.
  if (use.kind != AppKind::kProgram && use.last_used > model.last_used)
    model.last_used = use.last_used;
  model.uses.push_back(use);
}

/// Rows ordered by model, one for each use.
std::vector<ModelRecord> read_models(store::Statement& rows) {
  std::vector<ModelRecord> models;
  while (rows.step()) {
    if (models.empty() || models.back().id != rows.integer(0)) models.push_back(model_from(rows));
    add_use(models.back(), rows);
  }
  return models;
}

AppRecord app_from(const store::Statement& row) {
  return {.id = row.integer(0),
          .name = row.text(1),
          .path = row.text(2),
          .kind = parse_kind(row.text(3)),
          .registered_at = row.text(4),
          .models = row.integer(5)};
}

constexpr const char* kAppQuery =
    "SELECT a.id, a.name, a.path, a.kind, a.registered_at, count(u.model_id) FROM apps a LEFT JOIN "
    "model_usage u ON u.app_id = a.id ";

std::string digest_text(const hash::Digest& digest) {
  return (digest.algorithm == hash::Algorithm::kSha256 ? "sha256:" : "") + digest.hex;
}

std::string checked_app_path(const fs::path& path) {
  if (!path.is_absolute())
    fail(ErrorKind::kUserInput, "{}: expected the absolute path of an app",
         files::escaped(path.string()));
  fs::path normal = path.lexically_normal();
  if (!normal.has_filename() && normal != normal.root_path()) normal = normal.parent_path();
  if (files::escaped(normal.string()) != normal.string())
    fail(ErrorKind::kUserInput, "{}: an app's path cannot have control characters",
         files::escaped(normal.string()));
  return normal.string();
}

std::string in_other_letters(const ModelName& name, const ModelName& known) {
  return fmt::format(
      "{}: is in the cache as {}; letters of these names are the same model on many disks",
      name.uri(), known.uri());
}

/// Its row and those of its files, in the transaction that is open.
void write_model(store::Database& database, const Metadata& metadata, const fs::path& local_path,
                 bool is_symlink) {
  const ModelName& name = metadata.name;
  database
      .prepare(
          "INSERT INTO models (source, identifier, local_path, size_bytes, downloaded_at, "
          "checksum, "
          "is_symlink, revision, endpoint, partial, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
          "'ready') ON CONFLICT (identifier) DO UPDATE SET source = excluded.source, local_path = "
          "excluded.local_path, size_bytes = excluded.size_bytes, downloaded_at = "
          "excluded.downloaded_at, checksum = excluded.checksum, is_symlink = excluded.is_symlink, "
          "revision = excluded.revision, endpoint = excluded.endpoint, partial = excluded.partial, "
          "state = 'ready'")
      .bind(1, source_name(name.source))
      .bind(2, name.identifier)
      .bind(3, local_path.string())
      .bind(4, static_cast<int64_t>(metadata.size_bytes()))
      .bind(5, metadata.downloaded_at)
      .bind(6, metadata.checksum())
      .bind(7, int64_t{is_symlink})
      .bind(8, metadata.revision)
      .bind(9, metadata.endpoint)
      .bind(10, int64_t{metadata.partial})
      .run();
  store::Statement row = database.prepare("SELECT id FROM models WHERE identifier = ?");
  row.bind(1, name.identifier).step();
  const int64_t id = row.integer(0);
  database.prepare("DELETE FROM model_files WHERE model_id = ?").bind(1, id).run();
  store::Statement insert = database.prepare(
      "INSERT INTO model_files (model_id, name, size_bytes, digest, sha256) VALUES (?, ?, ?, ?, "
      "?)");
  for (const FileRecord& file : metadata.files)
    insert.bind(1, id)
        .bind(2, file.name)
        .bind(3, static_cast<int64_t>(file.size_bytes))
        .bind(4, digest_text(file.digest))
        .bind(5, file.sha256)
        .run();
}

}  // namespace

Registry Registry::open(const Layout& layout, store::OpenMode mode) {
  Registry registry(store::Database::open(layout.registry(), mode));
  const auto migrations = registry_migrations();
  if (mode == store::OpenMode::kReadOnly) {
    const int found = store::schema_version(registry.database_);
    if (found == migrations.back().version) return registry;
    if (found < migrations.back().version) {
      // Written by an older version: brought up to date once, by whoever comes first.
      Registry writer = open(layout, store::OpenMode::kReadWrite);
    }
  }
  store::migrate(registry.database_, migrations);
  return registry;
}

Registry Registry::in_memory() {
  Registry registry(store::Database::in_memory());
  store::migrate(registry.database_, registry_migrations());
  return registry;
}

std::vector<ModelRecord> Registry::models() {
  store::Statement rows = database_.prepare(std::string("SELECT ") + kModelColumns + kModelTables +
                                            "ORDER BY m.source, m.identifier, m.id, a.name");
  std::vector<ModelRecord> models = read_models(rows);
  std::stable_sort(models.begin(), models.end(), [](const ModelRecord& a, const ModelRecord& b) {
    const std::string_view first = source_name(a.name.source), second = source_name(b.name.source);
    return first != second ? first < second : natural_less(a.name.identifier, b.name.identifier);
  });
  return models;
}

std::optional<ModelRecord> Registry::find(const ModelName& name) {
  store::Statement rows = database_.prepare(
      fmt::format("SELECT {}{} WHERE m.id = (SELECT id FROM models WHERE {}) ORDER BY a.name",
                  kModelColumns, kModelTables, kSameName));
  rows.bind(1, name.identifier).bind(2, source_name(name.source));
  std::vector<ModelRecord> models = read_models(rows);
  return models.empty() ? std::nullopt : std::optional(std::move(models.front()));
}

ModelRecord Registry::put(const Metadata& metadata, const fs::path& local_path, bool is_symlink) {
  if (const auto known = find(metadata.name); known && known->name != metadata.name)
    fail(ErrorKind::kUserInput, "{}", in_other_letters(metadata.name, known->name));
  store::Transaction transaction(database_);
  write_model(database_, metadata, local_path, is_symlink);
  transaction.commit();
  return *find(metadata.name);
}

PutReport put_models(Registry& registry, const std::vector<WholeModel>& models,
                     const std::vector<ModelName>& gone) {
  PutReport report;
  store::Transaction transaction(registry.database());
  for (const WholeModel& model : models) {
    const ModelName& name = model.metadata.name;
    const auto known = registry.find(name);
    if (known && known->name != name) {
      report.problems.push_back(in_other_letters(name, known->name));
      continue;
    }
    write_model(registry.database(), model.metadata, model.local_path, model.is_symlink);
    ++(known ? report.updated : report.added);
  }
  for (const ModelName& name : gone) registry.set_state(name, "missing");
  transaction.commit();
  return report;
}

void Registry::set_state(const ModelName& name, const std::string& state) {
  database_.prepare(fmt::format("UPDATE models SET state = ?3 WHERE {}", kSameName))
      .bind(1, name.identifier)
      .bind(2, source_name(name.source))
      .bind(3, state)
      .run();
}

void Registry::touch(const ModelName& name) {
  database_.prepare(fmt::format("UPDATE models SET last_used = ?3 WHERE {}", kSameName))
      .bind(1, name.identifier)
      .bind(2, source_name(name.source))
      .bind(3, utc_text(now_s()))
      .run();
}

void Registry::remove(const ModelName& name) {
  database_.prepare(fmt::format("DELETE FROM models WHERE {}", kSameName))
      .bind(1, name.identifier)
      .bind(2, source_name(name.source))
      .run();
}

std::vector<FileRecord> Registry::files_of(const ModelName& name) {
  store::Statement rows = database_.prepare(
      fmt::format("SELECT f.name, f.size_bytes, f.digest, f.sha256 FROM model_files f WHERE "
                  "f.model_id = (SELECT id FROM models WHERE {}) ORDER BY f.name",
                  kSameName));
  rows.bind(1, name.identifier).bind(2, source_name(name.source));
  std::vector<FileRecord> list;
  while (rows.step())
    list.push_back({rows.text(0), static_cast<uint64_t>(rows.integer(1)),
                    hash::parse_digest(rows.text(2)).value_or(hash::Digest{}), rows.text(3)});
  return list;
}

std::vector<fs::path> Registry::files_with(const std::string& sha256) {
  store::Statement rows = database_.prepare(
      "SELECT m.local_path, f.name FROM model_files f JOIN models m ON m.id = f.model_id WHERE "
      "f.sha256 = ? AND m.is_symlink = 0 AND m.state = 'ready' ORDER BY m.id");
  rows.bind(1, sha256);
  std::vector<fs::path> paths;
  while (rows.step()) paths.push_back(fs::path(rows.text(0)) / rows.text(1));
  return paths;
}

std::vector<AppRecord> Registry::apps() {
  store::Statement rows =
      database_.prepare(std::string(kAppQuery) + "GROUP BY a.id ORDER BY a.name, a.path");
  std::vector<AppRecord> apps;
  while (rows.step()) apps.push_back(app_from(rows));
  return apps;
}

AppRecord Registry::put_app(const std::string& name, const fs::path& given, AppKind kind) {
  const std::string path = checked_app_path(given);
  if (name.empty() || files::escaped(name) != name)
    fail(ErrorKind::kUserInput, "'{}': expected a name for the app without control characters",
         files::escaped(name));
  database_
      .prepare(
          "INSERT INTO apps (name, path, registered_at, kind) VALUES (?, ?, ?, ?) ON CONFLICT "
          "(path) DO UPDATE SET name = excluded.name, kind = CASE WHEN excluded.kind = 'seen' THEN "
          "apps.kind ELSE excluded.kind END")
      .bind(1, name)
      .bind(2, path)
      .bind(3, utc_text(now_s()))
      .bind(4, kind_text(kind))
      .run();
  store::Statement row =
      database_.prepare(std::string(kAppQuery) + "WHERE a.path = ? GROUP BY a.id");
  row.bind(1, path).step();
  return app_from(row);
}

bool Registry::remove_app(const fs::path& path) {
  database_.prepare("DELETE FROM apps WHERE path = ?").bind(1, checked_app_path(path)).run();
  return database_.changes() > 0;
}

void Registry::use(const ModelName& name, const fs::path& app_path) {
  database_
      .prepare(
          fmt::format("INSERT INTO model_usage (model_id, app_id, last_used) SELECT m.id, a.id, "
                      "?4 FROM models m, apps a WHERE m.id = (SELECT id FROM models WHERE {}) "
                      "AND a.path = ?3 ON CONFLICT (model_id, app_id) DO UPDATE SET last_used "
                      "= excluded.last_used",
                      kSameName))
      .bind(1, name.identifier)
      .bind(2, source_name(name.source))
      .bind(3, checked_app_path(app_path))
      .bind(4, utc_text(now_s()))
      .run();
  if (database_.changes() == 0)
    fail(ErrorKind::kNotFound, "{} or the app {} is not in the cache", name.uri(),
         app_path.string());
}

void Registry::release(const ModelName& name, const fs::path& app_path) {
  database_
      .prepare(fmt::format("DELETE FROM model_usage WHERE model_id = (SELECT id FROM models WHERE "
                           "{}) AND app_id = (SELECT id FROM apps WHERE path = ?3)",
                           kSameName))
      .bind(1, name.identifier)
      .bind(2, source_name(name.source))
      .bind(3, checked_app_path(app_path))
      .run();
}

void Registry::note_saving(const fs::path& path, const std::string& place, const std::string& link,
                           uint64_t freed_bytes, const std::string& journal) {
  store::Transaction transaction(database_);
  // One row for a path: what it is now.
  database_.prepare("DELETE FROM savings WHERE path = ?").bind(1, path.string()).run();
  database_
      .prepare(
          "INSERT INTO savings (happened_at, path, place, link, freed_bytes, journal) VALUES (?, "
          "?, "
          "?, ?, ?, ?)")
      .bind(1, utc_text(now_s()))
      .bind(2, path.string())
      .bind(3, place)
      .bind(4, link)
      .bind(5, static_cast<int64_t>(freed_bytes))
      .bind(6, journal)
      .run();
  transaction.commit();
}

void Registry::forget_savings(const std::string& journal) {
  database_.prepare("DELETE FROM savings WHERE journal = ?").bind(1, journal).run();
}

uint64_t Registry::cloned_bytes() {
  store::Statement rows =
      database_.prepare("SELECT path, freed_bytes FROM savings WHERE link = 'clone'");
  uint64_t bytes = 0;
  while (rows.step())
    if (files::identity_of(rows.text(0))) bytes += static_cast<uint64_t>(rows.integer(1));
  return bytes;
}

}  // namespace toolkit::model_store
