#pragma once

#include <filesystem>

#include "core/store/database.h"

namespace toolkit::track {

/// `<home_folder()>/toolkit.db`, made or brought to the newest schema. Throws as
/// store::Database::open and store::migrate do.
store::Database open_tracking_database();

/// The schema alone, on any database.
void prepare_tracking_schema(store::Database& database);

}  // namespace toolkit::track
