#pragma once

#include <span>

#include "core/store/migrations.h"

namespace toolkit::model_store {

/// The tables of registry.db, oldest step first.
std::span<const store::Migration> registry_migrations();

}  // namespace toolkit::model_store
