#include "core/monitor/sources/journal_tail.h"

#include <signal.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "core/base/testing.h"

namespace toolkit::monitor {

namespace {

/// A PATH whose first journalctl is this shell script.
struct Journal {
  testing::TestingFolder folder;
  const std::string path = std::getenv("PATH");
  explicit Journal(const std::string& script) {
    const auto program = folder.write("journalctl", "#!/bin/sh\n" + script);
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    ::setenv("PATH", (folder.path.string() + ":" + path).c_str(), 1);
  }
  ~Journal() { ::setenv("PATH", path.c_str(), 1); }
};

/// Lines until there are `count`, or trouble, or two seconds have passed.
std::vector<std::string> lines_of(JournalTail& tail, size_t count) {
  std::vector<std::string> all;
  for (int look = 0; look < 200 && all.size() < count && tail.trouble().empty(); ++look) {
    for (std::string& line : tail.new_lines(100)) all.push_back(std::move(line));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return all;
}

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("lines of a service come from journalctl as a child that ends with the reader") {
  const Journal journal("echo \"$@\"; echo \"pid $$\"; exec sleep 60\n");
  int pid = 0;
  {
    JournalTail tail("ollama");
    const auto lines = lines_of(tail, 2);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0] == "-u ollama -f -o cat -n 0");
    CHECK(tail.new_lines(101).empty());  // does not wait
    CHECK(tail.trouble().empty());
    pid = std::stoi(lines[1].substr(4));
  }
  CHECK(::kill(pid, 0) != 0);
}

TEST_CASE("a journal that may not be read or a journalctl that ends is said") {
  {
    const Journal journal(
        "echo 'No journal files were opened due to insufficient permissions.' >&2; exit 1\n");
    JournalTail tail("ollama");
    lines_of(tail, 9);
    CHECK(testing::contains(tail.trouble(), "systemd-journal"));
  }
  const Journal journal("echo broken; exit 3\n");
  JournalTail tail("ollama");
  lines_of(tail, 9);
  CHECK(tail.trouble() == "journalctl ended: broken");
  CHECK(tail.new_lines(101).empty());  // not at once again
}

TEST_CASE("no service and no journalctl") {
  JournalTail none("");
  CHECK(none.new_lines(100).empty());
  CHECK(none.trouble().empty());
  testing::TestingFolder empty;
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", empty.path.c_str(), 1);
  JournalTail missing("ollama");
  CHECK(missing.new_lines(100).empty());
  ::setenv("PATH", path.c_str(), 1);
  CHECK(testing::contains(missing.trouble(), "cannot start journalctl"));
}

TEST_SUITE_END();

}  // namespace toolkit::monitor
