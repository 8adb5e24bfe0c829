#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace toolkit {

struct SubprocessOptions {
  std::filesystem::path output = "/dev/null";                    // where its stdout goes
  std::filesystem::path log = "/dev/null";                       // where its stderr goes
  bool append = false;                                           // both files keep what they hold
  std::vector<std::pair<std::string, std::string>> environment;  // set on top of this process's
  // Its own process group: Ctrl-C in the terminal reaches only this process, which passes it on.
  bool own_group = false;
  // The child ends when this process is gone, killed or not, if its main() calls end_with_parent().
  bool ends_with_parent = false;
};

/// A running child process. The destructor of one that still runs asks it to end (SIGINT, so that
/// it can save) and waits for it.
class Subprocess {
 public:
  /// argv[0] is searched in PATH; stdin is empty. Throws Error(kNotFound) if it cannot be started.
  static Subprocess start(const std::vector<std::string>& argv, const SubprocessOptions& options);
  ~Subprocess();
  Subprocess(Subprocess&& other) noexcept;
  Subprocess& operator=(Subprocess&&) = delete;

  /// The exit status once it has ended (128 + signal for one that was killed), empty before.
  std::optional<int> poll();
  int wait();
  void interrupt();  // SIGINT
  int pid() const { return pid_; }

 private:
  explicit Subprocess(int pid) : pid_(pid) {}
  int pid_ = 0;
  std::optional<int> status_;
};

struct SubprocessEnd {
  int status = 0;
  bool interrupted = false;  // an interrupt of this process came before the end
  bool timed_out = false;    // it ran into the limit
};

/// Waits for the end of a child. An interrupt of this process is passed on to it, in case it came
/// to this process alone; after `limit_seconds` (0: no limit) the child is asked to end, too.
SubprocessEnd wait_passing_interrupts(Subprocess& child, double limit_seconds = 0);

/// The JSON of the last line of what a program wrote; a discarded value if it is none.
nlohmann::json last_json_line(std::string text);

/// Runs a program to its end and returns the JSON object that is the last line of its stdout. Its
/// stderr goes to `log`. Throws Error(kNotFound) if it cannot be started, Error(kIo) with the end
/// of the log if it fails or prints no JSON. An interrupt of this process ends the program too, and
/// Error(kIo) says so.
nlohmann::json run_for_json(const std::vector<std::string>& argv, const std::filesystem::path& log);

/// In a process that was started with `ends_with_parent`: a thread looks for the parent several
/// times a second and ends this process at once (status 137) when it is gone. Does nothing in
/// others.
void end_with_parent();

/// The last `bytes` of a log file, for messages; "" if there is none.
std::string end_of_log(const std::filesystem::path& log, size_t bytes = 600);

}  // namespace toolkit
