#include "core/base/paths.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

namespace toolkit {

namespace fs = std::filesystem;

namespace {

fs::path user_home() {
  if (const char* home = std::getenv("HOME"); home && *home) return home;
  if (const passwd* entry = ::getpwuid(::getuid()); entry && entry->pw_dir) return entry->pw_dir;
  return fs::temp_directory_path();
}

}  // namespace

fs::path home_folder() {
  if (const char* given = std::getenv("MLX_INFRASTRUCTURE_HOME"); given && *given) return given;
  return user_home() / ".mlx-infrastructure";
}

std::string shown_path(const fs::path& path) {
  const std::string text = path.string(), home = user_home().string() + "/";
  return home.size() > 2 && text.starts_with(home) ? "~/" + text.substr(home.size()) : text;
}

fs::path expanded_path(const fs::path& path) {
  const std::string text = path.string();
  if (text == "~") return user_home();
  return text.starts_with("~/") ? user_home() / text.substr(2) : path;
}

}  // namespace toolkit
