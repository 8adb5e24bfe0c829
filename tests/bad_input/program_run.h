#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace toolkit::bad_input {

/// How a run of mlx-toolkit ended.
struct RunResult {
  int exit_code = -1;  // -1: a signal ended it
  int signal = 0;
  bool timed_out = false;
  std::string out;
  std::string kind, message;  // of the error object that --json prints; empty if there is none
};

struct RunOptions {
  uint64_t largest_file_bytes = 0;    // RLIMIT_FSIZE; 0: no limit
  int timeout_seconds = 300;          // generous: a loaded machine is no hang
  std::function<bool()> signal_when;  // asked again and again while the program runs
  int signal_number = 0;              // sent once `signal_when` says so
};

/// Runs mlx-toolkit with these arguments, --json and -q, in a process of its own.
RunResult run_toolkit(const std::vector<std::string>& arguments, const RunOptions& options = {});

/// A folder for one test, gone afterwards, and what goes into it.
class Workplace {
 public:
  Workplace();
  ~Workplace();
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string write(const std::string& name, const std::string& content) const;
  static void write_text(const std::filesystem::path& path, const std::string& content);
  /// A copy of the tiny Llama of tests/fixtures/models, to be spoiled.
  std::string copy_model(const std::string& name = "model") const;
  /// A folder with train.jsonl and valid.jsonl of so many good rows.
  std::string good_data(int rows = 8) const;

 private:
  std::filesystem::path path_;
};

/// Content of a file as text.
std::string content_of(const std::filesystem::path& path);

}  // namespace toolkit::bad_input
