#pragma once

#include <string>
#include <vector>

#include "core/base/fields.h"

namespace toolkit::track {

/// Settings of `mlx-toolkit runs list`.
struct ListConfig {
  std::string kind, status, model, parent, since;
  std::string sort = "started";
  bool ascending = false;
  int limit = 20;
  bool csv = false;
};
Fields describe(ListConfig& config);

/// Of `runs show`, `runs delete`, `runs tag`: which runs, and what else the verb needs.
struct PickConfig {
  std::vector<std::string> ids;
};
Fields describe(PickConfig& config);

struct CompareConfig {
  std::vector<std::string> ids;
  std::string plot = "runs-compare.svg";
  bool csv = false;
};
Fields describe(CompareConfig& config);

struct ExportConfig {
  std::vector<std::string> ids;
  std::string format = "json";
  std::string output;
};
Fields describe(ExportConfig& config);

struct TagConfig {
  std::string id;
  std::vector<std::string> tags;
};
Fields describe(TagConfig& config);

struct RebuildConfig {
  std::vector<std::string> folders;
};
Fields describe(RebuildConfig& config);

/// "2026-11-20", "2026-11-20T08:00:00Z" or an age: "45min", "12h", "7d". UTC text for
/// RunFilter::since. Throws Error(kUserInput).
std::string since_time(const std::string& text);

}  // namespace toolkit::track
