#include "projects/bench/child.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/error.h"

extern char** environ;  // POSIX leaves the declaration to the program

namespace toolkit::bench {

namespace {

std::string read_all(int descriptor) {
  std::string text;
  char buffer[4096];
  ssize_t count = 0;
  while ((count = ::read(descriptor, buffer, sizeof buffer)) > 0 || (count < 0 && errno == EINTR)) {
    if (count > 0) text.append(buffer, static_cast<size_t>(count));
  }
  return text;
}

std::string end_of(const std::filesystem::path& log) {
  const std::string text = read_file(log);
  return text.substr(text.size() - std::min<size_t>(text.size(), 600));
}

nlohmann::json last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const size_t start = text.rfind('\n');
  return nlohmann::json::parse(start == std::string::npos ? text : text.substr(start + 1), nullptr,
                               /*allow_exceptions=*/false);
}

}  // namespace

nlohmann::json run_child(const std::vector<std::string>& argv, const std::filesystem::path& log) {
  int ends[2];
  if (::pipe(ends) != 0) fail(ErrorKind::kIo, "bench: pipe: {}", std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0644);
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int error =
      ::posix_spawnp(&child, argv[0].c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (error != 0) {
    ::close(ends[0]);
    fail(ErrorKind::kNotFound, "bench: cannot start {}: {}", argv[0], std::strerror(error));
  }
  const std::string output = read_all(ends[0]);
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  nlohmann::json result = last_line(output);
  if (status != 0 || !result.is_object()) {
    fail(ErrorKind::kIo, "bench: {} ended with status {} and no result; the end of {}:\n{}",
         argv[0], WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), log.string(),
         end_of(log));
  }
  return result;
}

std::string own_program() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "mlx-toolkit" : path.string();  // elsewhere than on Linux it must be in PATH
}

}  // namespace toolkit::bench
