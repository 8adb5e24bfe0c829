#pragma once

#include <span>

#include "core/store/database.h"

namespace toolkit::store {

/// One step of a schema, applied once and never changed after it was released.
struct Migration {
  int version;  // 1, 2, 3, ... without gaps
  const char* sql;
};

/// Brings a database to the newest version, all missing steps in one transaction; the version lives
/// in PRAGMA user_version. Throws Error(kUnsupported) when the database is newer than the program
/// (what to install), nothing is touched then.
void migrate(Database& database, std::span<const Migration> migrations);

int schema_version(Database& database);

}  // namespace toolkit::store
