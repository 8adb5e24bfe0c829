#include "models/misfits.h"

#include <algorithm>

#include "core/base/error.h"

namespace toolkit::models {

void refuse_misfits(const std::vector<std::string>& problems, const std::filesystem::path& path,
                    const std::string& family) {
  if (problems.empty()) return;
  std::string list;
  const size_t shown = std::min<size_t>(problems.size(), 40);
  for (size_t i = 0; i < shown; ++i) list += "\n  " + problems[i];
  if (shown < problems.size()) list += fmt::format("\n  and {} more", problems.size() - shown);
  fail(ErrorKind::kUserInput, "{}: the weights do not fit the configuration (a {} model):{}",
       path.string(), family, list);
}

}  // namespace toolkit::models
