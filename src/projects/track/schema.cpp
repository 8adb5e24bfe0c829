#include "projects/track/schema.h"

#include <filesystem>

#include "core/base/paths.h"
#include "core/store/migrations.h"

namespace toolkit::track {

namespace {

constexpr store::Migration kMigrations[] = {{1, R"sql(
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    parent TEXT NOT NULL DEFAULT '',
    folder TEXT NOT NULL,
    started TEXT NOT NULL,
    ended TEXT,
    seconds REAL,
    host TEXT NOT NULL DEFAULT '',
    pid INTEGER NOT NULL DEFAULT 0,
    process_start TEXT NOT NULL DEFAULT '',
    summary TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX runs_by_start ON runs (started);
CREATE INDEX runs_by_parent ON runs (parent);
CREATE TABLE parameters (
    run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run, name)
) WITHOUT ROWID;
CREATE TABLE metrics (
    run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    step INTEGER NOT NULL,
    value REAL,
    PRIMARY KEY (run, name, step)
) WITHOUT ROWID;
CREATE TABLE artifacts (
    run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (run, path)
) WITHOUT ROWID;
CREATE TABLE tags (
    run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run, name)
) WITHOUT ROWID;
)sql"}};

}  // namespace

void prepare_tracking_schema(store::Database& database) {
  store::migrate(database, kMigrations);
}

store::Database open_tracking_database() {
  std::filesystem::create_directories(home_folder());
  store::Database database =
      store::Database::open(home_folder() / "toolkit.db", store::OpenMode::kReadWrite);
  prepare_tracking_schema(database);
  return database;
}

}  // namespace toolkit::track
