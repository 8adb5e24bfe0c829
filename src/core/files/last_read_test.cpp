#include "core/files/last_read.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>

#include "core/base/testing.h"

namespace toolkit::files {

namespace fs = std::filesystem;
using toolkit::testing::TestingFolder;

TEST_SUITE("unit") {
  TEST_CASE("last read: the time of a read where the disk records it - nothing elsewhere") {
    const TestingFolder folder;
    const fs::path file = folder.write("weights", "xyz");
    const auto set = [&](time_t read, time_t written) {
      const timespec times[2] = {{.tv_sec = read}, {.tv_sec = written}};
      REQUIRE(::utimensat(AT_FDCWD, file.c_str(), times, 0) == 0);
    };
    constexpr time_t kOld = 1'000'000'000;
    set(kOld, kOld);
    const auto before = last_read_s(file);
    if (!before) {
      MESSAGE("SKIPPED: the disk of ", folder.path.string(), " does not record reads");
      return;
    }
    CHECK(*before == 0);
    set(kOld + 1, kOld);
    CHECK(last_read_s(file) == kOld + 1);
    std::string content;
    std::ifstream(file) >> content;
    CHECK(last_read_s(file).value() > kOld + 1);
    fs::create_symlink(file, folder.path / "link");
    CHECK(last_read_s(folder.path / "link") == last_read_s(file));
  }

  TEST_CASE("last read: nothing for what is not there, and for a file system not known to record") {
    const TestingFolder folder;
    CHECK_FALSE(last_read_s(folder.path / "none"));
#ifdef __linux__
    CHECK_FALSE(last_read_s("/proc/self/status"));
#endif
  }
}

}  // namespace toolkit::files
