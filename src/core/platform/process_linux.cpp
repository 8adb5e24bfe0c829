#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/platform/process.h"

namespace toolkit::platform {

namespace {

namespace fs = std::filesystem;
using Files = std::set<std::pair<uint64_t, uint64_t>>;

void add_file(const fs::path& path, Files& files) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode))
    files.emplace(status.st_dev, status.st_ino);
}

/// A mapped file may be closed. Its device in `maps` is not always the one that stat tells, so it
/// is looked for by its path.
void add_mapped_paths(const fs::path& maps, std::set<std::string>& paths) {
  std::ifstream lines(maps);
  for (std::string line; std::getline(lines, line);)
    if (const size_t path = line.find('/'); path != std::string::npos)
      paths.insert(line.substr(path));
}

}  // namespace

std::set<std::pair<uint64_t, uint64_t>> open_files() {
  Files files;
  std::set<std::string> mapped;
  std::error_code error;
  for (fs::directory_iterator process("/proc", error), end; !error && process != end;
       process.increment(error)) {
    const std::string name = process->path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::error_code unseen;  // another user's, or it ended meanwhile
    for (fs::directory_iterator file(process->path() / "fd", unseen); !unseen && file != end;
         file.increment(unseen))
      add_file(file->path(), files);
    add_mapped_paths(process->path() / "maps", mapped);
  }
  for (const std::string& path : mapped) add_file(path, files);
  return files;
}

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
