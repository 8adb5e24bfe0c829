#include "tests/bad_input/program_run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace toolkit::bad_input {

namespace fs = std::filesystem;

namespace {

/// In the child, between fork and exec: only calls that are allowed there.
[[noreturn]] void become_program(char* const* arguments, int output, uint64_t largest_file) {
  if (largest_file > 0) {
    // As with a full disk a write then fails; the signal that would come too is not part of that.
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {largest_file, largest_file};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  const int nothing = ::open("/dev/null", O_RDWR);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(nothing, STDERR_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::execv(arguments[0], arguments);
  ::_exit(126);
}

void read_error(RunResult& result) {
  const size_t end = result.out.find_last_not_of('\n');
  if (end == std::string::npos) return;
  const size_t newline = result.out.rfind('\n', end);
  const std::string last = result.out.substr(newline == std::string::npos ? 0 : newline + 1);
  const auto json = nlohmann::json::parse(last, nullptr, false);
  if (!json.is_object() || !json.contains("error")) return;
  result.kind = json["error"].value("kind", "");
  result.message = json["error"].value("message", "");
}

}  // namespace

RunResult run_toolkit(const std::vector<std::string>& arguments, const RunOptions& options) {
  std::vector<std::string> words = {TOOLKIT_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  words.insert(words.end(), {"--json", "-q"});
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);

  int ends[2];
  if (::pipe(ends) != 0) return {};
  const pid_t child = ::fork();
  if (child == 0) become_program(pointers.data(), ends[1], options.largest_file_bytes);
  ::close(ends[1]);

  RunResult result;
  using Clock = std::chrono::steady_clock;
  const auto last_moment = Clock::now() + std::chrono::seconds(options.timeout_seconds);
  bool signalled = false;
  for (char piece[4096];;) {
    pollfd ready = {ends[0], POLLIN, 0};
    if (::poll(&ready, 1, 5) > 0) {
      const ssize_t count = ::read(ends[0], piece, sizeof piece);
      if (count <= 0) break;
      result.out.append(piece, static_cast<size_t>(count));
    }
    if (!signalled && options.signal_when && options.signal_when()) {
      ::kill(child, options.signal_number);
      signalled = true;
    }
    if (Clock::now() > last_moment) {
      result.timed_out = true;
      ::kill(child, SIGKILL);
      break;
    }
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  read_error(result);
  return result;
}

Workplace::Workplace() {
  static int count = 0;
  path_ = fs::temp_directory_path() /
          ("toolkit_bad_input_" + std::to_string(::getpid()) + "_" + std::to_string(count++));
  fs::create_directories(path_);
}

Workplace::~Workplace() {
  fs::remove_all(path_);
}

void Workplace::write_text(const fs::path& path, const std::string& content) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

std::string Workplace::write(const std::string& name, const std::string& content) const {
  write_text(path_ / name, content);
  return (path_ / name).string();
}

std::string Workplace::copy_model(const std::string& name) const {
  fs::remove_all(path_ / name);
  fs::create_directories(path_ / name);
  for (const char* file : {"config.json", "generation_config.json", "model.safetensors",
                           "tokenizer.json", "tokenizer_config.json"})
    fs::copy_file(fs::path(TOOLKIT_FIXTURES) / "models/llama" / file, path_ / name / file);
  return (path_ / name).string();
}

std::string Workplace::good_data(int rows) const {
  std::string text;
  for (int i = 0; i < rows; ++i)
    text += R"({"messages": [{"role": "user", "content": "what does the word mean?"}, )"
            R"({"role": "assistant", "content": "the answer is )" +
            std::to_string(i) + "\"}]}\n";
  write("data/train.jsonl", text);
  write("data/valid.jsonl", text.substr(0, text.find('\n') + 1));
  return (path_ / "data").string();
}

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace toolkit::bad_input
