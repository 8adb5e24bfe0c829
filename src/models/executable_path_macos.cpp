// Not run on a Mac yet.
#include <mach-o/dyld.h>

#include <string>

#include "models/executable_path.h"

namespace toolkit::models {

std::filesystem::path executable_path() {
  uint32_t size = 0;
  _NSGetExecutablePath(nullptr, &size);
  std::string path(size, '\0');
  if (_NSGetExecutablePath(path.data(), &size) != 0) return {};
  std::error_code error;
  const auto resolved = std::filesystem::canonical(path.c_str(), error);
  return error ? std::filesystem::path() : resolved;
}

}  // namespace toolkit::models
