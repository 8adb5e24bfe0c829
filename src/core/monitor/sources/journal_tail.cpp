#include "core/monitor/sources/journal_tail.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>

#include "core/base/error.h"

namespace toolkit::monitor {

namespace fs = std::filesystem;

namespace {

constexpr double kAgainSeconds = 60;
constexpr size_t kMostBytes = 1 << 20;

/// What journalctl says to who may not read the journal of services.
bool is_refusal(const std::string& line) {
  return line.find("insufficient permissions") != line.npos ||
         line.find("not seeing messages from other users") != line.npos;
}

/// A named pipe in a folder of its own, gone once both ends are open.
struct NamedPipe {
  fs::path folder, path;
  NamedPipe() {
    std::string name = (fs::temp_directory_path() / "mlx_dash_journal_XXXXXX").string();
    if (!::mkdtemp(name.data())) fail(ErrorKind::kIo, "{}: cannot be made", name);
    folder = name;
    path = folder / "lines";
    if (::mkfifo(path.c_str(), 0600) != 0) fail(ErrorKind::kIo, "{}: cannot be made", name);
  }
  ~NamedPipe() {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  NamedPipe(const NamedPipe&) = delete;
  NamedPipe& operator=(const NamedPipe&) = delete;
};

}  // namespace

JournalTail::~JournalTail() {
  stop();
}

void JournalTail::start() {
  try {
    const NamedPipe named;
    // Opened first, so that the child does not wait for a reader.
    pipe_ = ::open(named.path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (pipe_ < 0) fail(ErrorKind::kIo, "{}: cannot be opened", named.path.string());
    child_.emplace(Subprocess::start({"journalctl", "-u", unit_, "-f", "-o", "cat", "-n", "0"},
                                     {.output = named.path, .log = named.path}));
    trouble_.clear();
  } catch (const Error& error) {
    trouble_ = error.what();
    stop();
  }
}

void JournalTail::stop() {
  child_.reset();
  if (pipe_ >= 0) ::close(pipe_);
  pipe_ = -1;
  cutter_.clear();
}

std::string JournalTail::read_some() const {
  std::string text;
  std::array<char, 16384> bytes;
  while (text.size() < kMostBytes) {
    const ssize_t count = ::read(pipe_, bytes.data(), bytes.size());
    if (count <= 0) break;
    text.append(bytes.data(), static_cast<size_t>(count));
  }
  return text;
}

std::vector<std::string> JournalTail::new_lines(double time_s) {
  if (unit_.empty()) return {};
  if (!child_) {
    if (time_s - started_s_ < kAgainSeconds) return {};
    started_s_ = time_s;
    start();
    if (!child_) return {};
  }
  const bool ended = child_->poll().has_value();  // asked first: what it wrote is read yet
  std::vector<std::string> lines = cutter_.add(read_some());
  for (const std::string& line : lines)
    if (is_refusal(line))
      trouble_ = "the journal of " + unit_ +
                 " may not be read: `sudo usermod -aG systemd-journal $USER`, then log in again";
  if (ended) {
    if (trouble_.empty())
      trouble_ = "journalctl ended" + (lines.empty() ? "" : ": " + lines.back());
    stop();
  }
  return lines;
}

std::string ollama_unit() {
  std::error_code ignored;
  if (!fs::exists("/run/systemd/system", ignored)) return "";
  for (const char* folder :
       {"/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"})
    if (fs::exists(fs::path(folder) / "ollama.service", ignored)) return "ollama";
  return "";
}

}  // namespace toolkit::monitor
