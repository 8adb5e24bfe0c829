#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/platform/process.h"

namespace toolkit::platform {

std::string own_program() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "mlx-toolkit" : path.string();
}

std::string process_start(int pid) {
  std::string boot, line;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), boot);
  if (!std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/stat"), line)) return "";
  // proc(5): the name in parentheses may hold blanks; after it field 3 is the state, 22 the start.
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return "";
  std::istringstream fields(line.substr(name_end + 1));
  std::string state, field;
  fields >> state;
  if (state == "Z") return "";  // ended, only its status is left
  for (int number = 4; number <= 22; ++number) fields >> field;
  return boot + ":" + field;
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

}  // namespace toolkit::platform
