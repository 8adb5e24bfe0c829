#include "core/platform/process.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "core/base/subprocess.h"
#include "core/base/testing.h"

namespace toolkit::platform {

TEST_SUITE("unit") {
  TEST_CASE("process: a start that stays the same and is gone with the process") {
    const std::string own = process_start(::getpid());
    CHECK_FALSE(own.empty());
    CHECK(process_start(::getpid()) == own);
    CHECK(process_start(::getppid()) != own);
    Subprocess child = Subprocess::start({"sleep", "60"}, {.own_group = true});
    CHECK_FALSE(process_start(child.pid()).empty());
    child.interrupt();
    child.wait();
    CHECK(process_start(child.pid()).empty());
  }

#ifdef __linux__
  TEST_CASE("process: files that are open or mapped") {
    const testing::TestingFolder folder;
    const auto file = folder.write("weights", "xyz");
    struct stat status{};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    const auto is_open = [&] { return open_files().contains({status.st_dev, status.st_ino}); };
    CHECK_FALSE(is_open());
    const int descriptor = ::open(file.c_str(), O_RDONLY);
    CHECK(is_open());
    void* mapped = ::mmap(nullptr, 3, PROT_READ, MAP_PRIVATE, descriptor, 0);
    ::close(descriptor);
    CHECK(is_open());
    ::munmap(mapped, 3);
    CHECK_FALSE(is_open());
    Subprocess child = Subprocess::start({"tail", "-f", file.string()}, {.own_group = true});
    for (int tries = 0; tries < 200 && !is_open(); ++tries)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(is_open());
    child.interrupt();
    child.wait();
  }
#endif

  TEST_CASE("process: own_program is a file that can be started") {
    CHECK(std::filesystem::exists(own_program()));
  }
}

}  // namespace toolkit::platform
