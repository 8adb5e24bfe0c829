#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace toolkit::monitor {

/// What `mlx-cache status --json` and `mlx-cache stats --json` say, in short.
struct CacheSummary {
  bool is_installed = false;  // mlx-cache beside this program or in PATH
  std::string trouble;
  int64_t models = 0;
  int64_t kept_bytes = 0;
  std::optional<int64_t> saved_bytes;
};

/// Runs mlx-cache, which takes as long as it needs to look through the stores: not for a window's
/// own thread.
CacheSummary read_cache_summary();

/// "3 models, 12.4 GB, saves 6.1 GB", or why not.
std::string shown(const CacheSummary& summary);

}  // namespace toolkit::monitor
