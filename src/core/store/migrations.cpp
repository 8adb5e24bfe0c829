#include "core/store/migrations.h"

namespace toolkit::store {

namespace {

int newest(std::span<const Migration> migrations) {
  return migrations.empty() ? 0 : migrations.back().version;
}

void check_order(std::span<const Migration> migrations) {
  for (size_t at = 0; at < migrations.size(); ++at)
    if (migrations[at].version != static_cast<int>(at) + 1)
      fail(ErrorKind::kInternal, "migration {} stands at place {}", migrations[at].version, at + 1);
}

void refuse_newer(const Database& database, int found, int known) {
  if (found > known)
    fail(ErrorKind::kUnsupported,
         "{}: was written by a newer program (schema {}, this one knows {}); update this program. "
         "Nothing was changed",
         database.path().string(), found, known);
}

}  // namespace

int schema_version(Database& database) {
  Statement version = database.prepare("PRAGMA user_version");
  version.step();
  return static_cast<int>(version.integer(0));
}

void migrate(Database& database, std::span<const Migration> migrations) {
  check_order(migrations);
  const int known = newest(migrations);
  const int before = schema_version(database);
  refuse_newer(database, before, known);
  if (before == known) return;
  Transaction transaction(database);
  // Again under the lock: another process may have been here first.
  const int found = schema_version(database);
  refuse_newer(database, found, known);
  for (const Migration& migration : migrations)
    if (migration.version > found) database.execute(migration.sql);
  database.execute(fmt::format("PRAGMA user_version = {}", known));
  transaction.commit();
}

}  // namespace toolkit::store
