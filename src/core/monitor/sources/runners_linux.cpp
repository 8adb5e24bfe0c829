#include <unistd.h>

#include <cctype>
#include <fstream>
#include <iterator>
#include <sstream>

#include "core/monitor/sources/runners.h"

namespace toolkit::monitor {

namespace fs = std::filesystem;

namespace {

constexpr size_t kMostWordBytes = 1 << 16;

std::vector<std::string> command_line(const fs::path& process) {
  std::ifstream stream(process / "cmdline", std::ios::binary);
  std::string text(kMostWordBytes, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(stream.gcount()));
  std::vector<std::string> words;
  std::istringstream parts(text);
  for (std::string word; std::getline(parts, word, '\0');) words.push_back(word);
  return words;
}

}  // namespace

/// User and system time of proc(5)'s stat; fields are counted from behind the name's ')'.
double processor_seconds(const fs::path& root, int pid) {
  std::ifstream stream(root / "proc" / std::to_string(pid) / "stat");
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  const size_t end = text.rfind(')');
  if (end == text.npos) return -1;
  std::istringstream fields(text.substr(end + 1));
  std::string skipped;
  for (int count = 0; count < 11; ++count) fields >> skipped;
  long long user = 0, system = 0;
  if (!(fields >> user >> system)) return -1;
  return static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

std::vector<Runner> find_runners(const fs::path& root) {
  std::vector<Runner> found;
  std::error_code error;
  for (fs::directory_iterator at(root / "proc", error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.empty() || !std::isdigit(static_cast<unsigned char>(name[0]))) continue;
    Runner runner = runner_of(command_line(at->path()));
    if (runner.port == 0) continue;
    runner.pid = std::atoi(name.c_str());
    found.push_back(std::move(runner));
  }
  return found;
}

}  // namespace toolkit::monitor
