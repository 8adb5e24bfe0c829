#include "projects/launch/supervise.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "core/base/error.h"

extern char** environ;  // POSIX leaves the declaration to the program

namespace toolkit::launch {

namespace {

constexpr auto kGrace = std::chrono::seconds(5);
constexpr int kInterrupted = 130;

std::atomic<int> signals_received{0};
static_assert(std::atomic<int>::is_always_lock_free, "used in a signal handler");

void on_signal(int) {
  ++signals_received;
}

/// Counts SIGINT and SIGTERM while it lives; a broken pipe is an error, not an end.
class SignalCount {
 public:
  SignalCount() {
    signals_received = 0;
    struct sigaction action{};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    ::sigaction(SIGINT, &action, &interrupt_);
    ::sigaction(SIGTERM, &action, &terminate_);
    action.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &action, &pipe_);
  }
  ~SignalCount() {
    ::sigaction(SIGINT, &interrupt_, nullptr);
    ::sigaction(SIGTERM, &terminate_, nullptr);
    ::sigaction(SIGPIPE, &pipe_, nullptr);
  }
  SignalCount(const SignalCount&) = delete;
  SignalCount& operator=(const SignalCount&) = delete;

 private:
  struct sigaction interrupt_{}, terminate_{}, pipe_{};
};

struct Process {
  pid_t id = 0;
  int input = -1;   // of a remote one: where signals are written
  int output = -1;  // of ranks above 0
  bool ended = false;
  std::string line;  // begun, not yet ended
};

void close_end(int& descriptor) {
  if (descriptor >= 0) ::close(descriptor);
  descriptor = -1;
}

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() {
    if (::pipe(ends) != 0) fail(ErrorKind::kIo, "launch: pipe: {}", std::strerror(errno));
    // No other rank may hold an end: the pipe would not end with this one.
    for (const int end : ends) ::fcntl(end, F_SETFD, FD_CLOEXEC);
  }
};

std::vector<std::string> environment_of(const Rank& rank) {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable; ++variable) {
    const std::string text = *variable;
    if (!rank.environment.contains(text.substr(0, text.find('=')))) variables.push_back(text);
  }
  for (const auto& [name, value] : rank.environment) variables.push_back(name + "=" + value);
  return variables;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

Process start(const Rank& rank, bool leads) {
  Process process;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  int far_input = -1, far_output = -1;
  if (rank.remote) {
    const Pipe input;
    far_input = input.ends[0];
    process.input = input.ends[1];
    posix_spawn_file_actions_adddup2(&actions, far_input, STDIN_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  }
  if (!leads) {
    const Pipe output;
    process.output = output.ends[0];
    far_output = output.ends[1];
    posix_spawn_file_actions_adddup2(&actions, far_output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, far_output, STDERR_FILENO);
  }
  // Its own group: Ctrl-C in the terminal reaches it once, through us.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  const std::vector<std::string> environment = environment_of(rank);
  const int error = ::posix_spawnp(&process.id, rank.argv[0].c_str(), &actions, &attributes,
                                   pointers(rank.argv).data(), pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close_end(far_input);
  close_end(far_output);
  if (error != 0) {
    close_end(process.input);
    close_end(process.output);
    fail(ErrorKind::kNotFound, "{} cannot be started: {}", rank.argv[0], std::strerror(error));
  }
  return process;
}

class Supervisor {
 public:
  ~Supervisor() {
    for (Process& process : processes_) {
      if (!process.ended) {
        ::kill(-process.id, SIGKILL);
        ::waitpid(process.id, nullptr, 0);
      }
      close_end(process.input);
      close_end(process.output);
    }
  }

  int run(const std::vector<Rank>& ranks) {
    const SignalCount signals;
    for (size_t i = 0; i < ranks.size(); ++i) processes_.push_back(start(ranks[i], i == 0));
    int forwarded = 0;
    while (running()) {
      pass_lines();
      for (; forwarded < signals_received; ++forwarded) tell_all("TERM", SIGTERM);
      collect();
      if (failed_ && std::chrono::steady_clock::now() > deadline_) kill_all();
    }
    pass_lines();
    return code_;
  }

 private:
  bool running() const {
    for (const Process& process : processes_)
      if (!process.ended) return true;
    return false;
  }

  void tell_all(const std::string& name, int signal) {
    for (Process& process : processes_) {
      if (process.ended) continue;
      if (process.input < 0) {
        ::kill(-process.id, signal);
      } else {
        const std::string line = name + "\n";
        [[maybe_unused]] const auto written = ::write(process.input, line.data(), line.size());
      }
    }
  }

  // A remote program ends when its input does; the connection itself is killed here.
  void kill_all() {
    for (Process& process : processes_) {
      close_end(process.input);
      if (!process.ended) ::kill(-process.id, SIGKILL);
    }
  }

  void collect() {
    for (size_t i = 0; i < processes_.size(); ++i) {
      Process& process = processes_[i];
      int status = 0;
      if (process.ended || ::waitpid(process.id, &status, WNOHANG) != process.id) continue;
      process.ended = true;
      const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      if (code == 0) continue;
      if (code_ == 0) code_ = code;
      // After Ctrl-C each one ends by itself, with its work saved.
      if (failed_ || (code == kInterrupted && signals_received > 0)) continue;
      failed_ = true;
      deadline_ = std::chrono::steady_clock::now() + kGrace;
      std::fprintf(stderr, "launch: rank %zu ended with code %d; the others are stopped\n", i,
                   code);
      tell_all("TERM", SIGTERM);
    }
  }

  // Waits up to a twentieth of a second.
  void pass_lines() {
    std::vector<pollfd> polled;
    std::vector<size_t> ranks;
    for (size_t i = 0; i < processes_.size(); ++i) {
      if (processes_[i].output < 0) continue;
      polled.push_back({.fd = processes_[i].output, .events = POLLIN, .revents = 0});
      ranks.push_back(i);
    }
    if (::poll(polled.data(), polled.size(), 50) <= 0) return;
    for (size_t k = 0; k < polled.size(); ++k)
      if (polled[k].revents != 0) pass_lines_of(ranks[k]);
  }

  void pass_lines_of(size_t rank) {
    Process& process = processes_[rank];
    char buffer[4096];
    const ssize_t count = ::read(process.output, buffer, sizeof buffer);
    if (count <= 0) {
      if (!process.line.empty())
        std::fprintf(stderr, "[rank %zu] %s\n", rank, process.line.c_str());
      process.line.clear();
      close_end(process.output);
      return;
    }
    process.line.append(buffer, static_cast<size_t>(count));
    for (size_t end = 0; (end = process.line.find('\n')) != std::string::npos;) {
      std::fprintf(stderr, "[rank %zu] %s\n", rank, process.line.substr(0, end).c_str());
      process.line.erase(0, end + 1);
    }
  }

  std::vector<Process> processes_;
  int code_ = 0;
  bool failed_ = false;
  std::chrono::steady_clock::time_point deadline_;
};

}  // namespace

int supervise(const std::vector<Rank>& ranks) {
  return Supervisor().run(ranks);
}

}  // namespace toolkit::launch
