#pragma once

#include <cstdint>
#include <optional>

namespace toolkit::files {

/// Where the byte at `offset` of an open file lies on the volume; empty where the file system does
/// not tell. Each system has its own (clone_*.cpp).
std::optional<uint64_t> place_on_volume(int file, uint64_t offset);

}  // namespace toolkit::files
