#include "core/model_store/registry/schema.h"

namespace toolkit::model_store {

namespace {

// The first three tables are named as other programs of the suite read them.
constexpr store::Migration kMigrations[] = {{1, R"sql(
CREATE TABLE models (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL CHECK (source IN ('huggingface', 'ollama', 'local')),
    identifier TEXT NOT NULL UNIQUE,
    local_path TEXT NOT NULL,
    size_bytes INTEGER,
    downloaded_at DATETIME,
    checksum TEXT,
    is_symlink BOOLEAN DEFAULT FALSE,
    revision TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'damaged', 'missing')),
    endpoint TEXT NOT NULL DEFAULT '',
    partial BOOLEAN NOT NULL DEFAULT FALSE,
    last_used DATETIME
);
CREATE UNIQUE INDEX models_ignoring_case ON models (lower(identifier)) WHERE source <> 'local';
CREATE TABLE apps (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    path TEXT NOT NULL UNIQUE,
    registered_at DATETIME,
    kind TEXT NOT NULL DEFAULT 'linked' CHECK (kind IN ('linked', 'program', 'seen'))
);
CREATE TABLE model_usage (
    model_id INTEGER NOT NULL REFERENCES models(id) ON DELETE CASCADE,
    app_id INTEGER NOT NULL REFERENCES apps(id) ON DELETE CASCADE,
    last_used DATETIME,
    PRIMARY KEY (model_id, app_id)
);
CREATE TABLE model_files (
    model_id INTEGER NOT NULL REFERENCES models(id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    digest TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (model_id, name)
) WITHOUT ROWID;
CREATE INDEX model_files_by_content ON model_files (sha256);
CREATE TABLE file_hashes (
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (device, inode)
) WITHOUT ROWID;
CREATE TABLE savings (
    id INTEGER PRIMARY KEY,
    happened_at DATETIME NOT NULL,
    path TEXT NOT NULL,
    place TEXT NOT NULL,
    link TEXT NOT NULL,
    freed_bytes INTEGER NOT NULL,
    journal TEXT NOT NULL
);
)sql"}};

}  // namespace

std::span<const store::Migration> registry_migrations() {
  return kMigrations;
}

}  // namespace toolkit::model_store
