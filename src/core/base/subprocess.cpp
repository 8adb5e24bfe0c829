#include "core/base/subprocess.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/interrupt.h"

extern char** environ;  // POSIX leaves the declaration to the program

namespace toolkit {

namespace {

/// The process id to end with.
constexpr const char* kParentProcess = "MLX_TOOLKIT_PARENT_PROCESS";

/// posix_spawn's two objects, freed in every case.
struct SpawnSettings {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  SpawnSettings() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (const std::string& text : texts) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

std::vector<std::string> environment_with(
    const std::vector<std::pair<std::string, std::string>>& changes) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry; ++entry) {
    const std::string text = *entry;
    const bool changed = std::any_of(changes.begin(), changes.end(), [&](const auto& change) {
      return text.starts_with(change.first + "=");
    });
    if (!changed) result.push_back(text);
  }
  for (const auto& [name, value] : changes) result.push_back(name + "=" + value);
  return result;
}

void set_signals_and_group(SpawnSettings& settings, bool own_group) {
  // A program started by nohup or a shell's & may ignore SIGINT; a child must hear it to save.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  posix_spawnattr_setsigdefault(&settings.attributes, &signals);
  short flags = POSIX_SPAWN_SETSIGDEF;
  if (own_group) {
    posix_spawnattr_setpgroup(&settings.attributes, 0);
    flags |= POSIX_SPAWN_SETPGROUP;
  }
  posix_spawnattr_setflags(&settings.attributes, flags);
}

int exit_status(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Subprocess Subprocess::start(const std::vector<std::string>& argv,
                             const SubprocessOptions& options) {
  SpawnSettings settings;
  const int flags = O_WRONLY | O_CREAT | (options.append ? O_APPEND : O_TRUNC);
  posix_spawn_file_actions_addopen(&settings.files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&settings.files, STDOUT_FILENO, options.output.c_str(), flags,
                                   0644);
  posix_spawn_file_actions_addopen(&settings.files, STDERR_FILENO, options.log.c_str(), flags,
                                   0644);
  set_signals_and_group(settings, options.own_group);
  const std::vector<char*> arguments = pointers(argv);
  auto changes = options.environment;
  if (options.ends_with_parent) changes.emplace_back(kParentProcess, std::to_string(::getpid()));
  const std::vector<std::string> variables = environment_with(changes);
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, argv[0].c_str(), &settings.files, &settings.attributes,
                                   arguments.data(), pointers(variables).data());
  if (error != 0) fail(ErrorKind::kNotFound, "cannot start {}: {}", argv[0], std::strerror(error));
  return Subprocess(child);
}

Subprocess::Subprocess(Subprocess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), status_(other.status_) {}

Subprocess::~Subprocess() {
  if (pid_ == 0 || poll()) return;
  interrupt();
  wait();
}

std::optional<int> Subprocess::poll() {
  int status = 0;
  if (!status_ && ::waitpid(pid_, &status, WNOHANG) == pid_) status_ = exit_status(status);
  return status_;
}

int Subprocess::wait() {
  int status = 0;
  while (!status_) {
    if (::waitpid(pid_, &status, 0) == pid_)
      status_ = exit_status(status);
    else if (errno != EINTR)
      status_ = 127;  // not our child: waited for elsewhere
  }
  return *status_;
}

void Subprocess::interrupt() {
  if (!status_) ::kill(pid_, SIGINT);
}

SubprocessEnd wait_passing_interrupts(Subprocess& child, double limit_seconds) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  const InterruptGuard guard;
  SubprocessEnd end;
  std::optional<int> status;
  while (!(status = child.poll())) {
    if (InterruptGuard::requested() && !std::exchange(end.interrupted, true)) child.interrupt();
    const double passed = std::chrono::duration<double>(Clock::now() - begin).count();
    if (limit_seconds > 0 && passed > limit_seconds && !std::exchange(end.timed_out, true))
      child.interrupt();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  end.status = *status;
  end.interrupted = end.interrupted || InterruptGuard::requested();
  return end;
}

nlohmann::json last_json_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const size_t start = text.rfind('\n');
  return nlohmann::json::parse(start == std::string::npos ? text : text.substr(start + 1), nullptr,
                               /*allow_exceptions=*/false);
}

nlohmann::json run_for_json(const std::vector<std::string>& argv,
                            const std::filesystem::path& log) {
  std::string name = (std::filesystem::temp_directory_path() / "toolkit_output_XXXXXX").string();
  const int descriptor = ::mkstemp(name.data());
  if (descriptor < 0) fail(ErrorKind::kIo, "{}: cannot write: {}", name, std::strerror(errno));
  ::close(descriptor);
  struct Removed {
    const std::string& name;
    ~Removed() { ::unlink(name.c_str()); }
  } removed{name};
  Subprocess child = Subprocess::start(argv, {.output = name, .log = log});
  const SubprocessEnd end = wait_passing_interrupts(child);
  if (end.interrupted) fail(ErrorKind::kIo, "interrupted; {} was ended", argv[0]);
  nlohmann::json result = last_json_line(read_file(name));
  if (end.status != 0 || !result.is_object())
    fail(ErrorKind::kIo, "{} ended with status {} and no result; the end of {}:\n{}", argv[0],
         end.status, log.string(), end_of_log(log));
  return result;
}

void end_with_parent() {
  const char* text = std::getenv(kParentProcess);
  if (!text) return;
  const int parent = std::atoi(text);
  ::unsetenv(kParentProcess);  // it means this process, not its children
  std::thread([parent] {
    while (::getppid() == parent) std::this_thread::sleep_for(std::chrono::milliseconds(200));
    std::_Exit(137);
  }).detach();
}

std::string end_of_log(const std::filesystem::path& log, size_t bytes) {
  if (!std::filesystem::exists(log)) return "";
  const std::string text = read_file(log);
  return text.substr(text.size() - std::min(text.size(), bytes));
}

}  // namespace toolkit
