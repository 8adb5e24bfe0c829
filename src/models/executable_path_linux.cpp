#include "models/executable_path.h"

namespace toolkit::models {

std::filesystem::path executable_path() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::filesystem::path() : path;
}

}  // namespace toolkit::models
