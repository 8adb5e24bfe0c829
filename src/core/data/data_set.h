#pragma once

#include <cstdint>
#include <filesystem>

#include "core/data/chat_rows.h"
#include "core/data/columns.h"

namespace toolkit::data {

/// read_data_set for files with names of columns of their own.
Splits read_data_set(const std::filesystem::path& path, const Columns& columns, double valid_share,
                     uint64_t seed);

}  // namespace toolkit::data
