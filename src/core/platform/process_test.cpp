#include "core/platform/process.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>

#include "core/base/subprocess.h"

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

  TEST_CASE("process: own_program is a file that can be started") {
    CHECK(std::filesystem::exists(own_program()));
  }
}

}  // namespace toolkit::platform
