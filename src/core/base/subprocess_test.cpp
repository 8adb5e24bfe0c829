#include "core/base/subprocess.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/base/atomic_file.h"
#include "core/base/testing.h"

namespace toolkit {
namespace {

using testing::TestingFolder;

template <class Condition>
bool comes_true(const Condition& condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

TEST_SUITE("unit") {
  TEST_CASE("subprocess: the last line of stdout is the result - what fails says why") {
    const TestingFolder folder;
    const std::filesystem::path log = folder.path / "log";
    CHECK(run_for_json({"sh", "-c", "echo talk; echo '{\"a\": 1}'"}, log)["a"] == 1);
    CHECK_THROWS_WITH_AS(run_for_json({"sh", "-c", "echo reason >&2; exit 3"}, log),
                         doctest::Contains("reason"), Error);
    CHECK_THROWS_AS(run_for_json({"sh", "-c", "echo no json"}, log), Error);
    CHECK_THROWS_AS(run_for_json({"/no/such/program"}, log), Error);
  }

  TEST_CASE("subprocess: files and environment are as asked and the status tells the end") {
    const TestingFolder folder;
    const SubprocessOptions options{.output = folder.path / "out",
                                    .log = folder.path / "err",
                                    .append = true,
                                    .environment = {{"TOOLKIT_TEST_WORD", "spoken"}}};
    for (int i = 0; i < 2; ++i) {
      Subprocess child = Subprocess::start(
          {"sh", "-c", "echo $TOOLKIT_TEST_WORD; echo e >&2; cat; exit 7"}, options);
      CHECK(child.wait() == 7);
      CHECK(child.poll() == 7);
    }
    CHECK(read_file(folder.path / "out") == "spoken\nspoken\n");
    CHECK(read_file(folder.path / "err") == "e\ne\n");
    CHECK(Subprocess::start({"sh", "-c", "kill -9 $$"}, {}).wait() == 128 + SIGKILL);
  }

  TEST_CASE("subprocess: one in its own group is asked to end when nobody holds it any more") {
    const TestingFolder folder;
    const std::filesystem::path said = folder.path / "said";
    {
      Subprocess child = Subprocess::start(
          {"sh", "-c", "trap 'echo saved; exit 5' INT; echo up; while :; do sleep 0.01; done"},
          {.output = said, .own_group = true});
      CHECK(comes_true([&] { return std::filesystem::exists(said) && read_file(said) == "up\n"; }));
      CHECK_FALSE(child.poll());
      CHECK(::getpgid(child.pid()) == child.pid());
    }
    CHECK(read_file(said) == "up\nsaved\n");
  }

  TEST_CASE("subprocess: a child that asks for it ends with its parent") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t parent = ::fork();
    if (parent == 0) {
      ::setenv("MLX_TOOLKIT_PARENT_PROCESS", std::to_string(::getpid()).c_str(), 1);
      if (::fork() == 0) {
        end_with_parent();
        for (int i = 0; i < 30; ++i) ::sleep(1);
        char alive = 1;
        (void)!::write(ends[1], &alive, 1);
      }
      ::_exit(0);
    }
    ::close(ends[1]);
    ::waitpid(parent, nullptr, 0);
    char alive = 0;
    CHECK(::read(ends[0], &alive, 1) == 0);  // the last writer is gone and wrote nothing
    ::close(ends[0]);
    // What was started without the wish is left alone, and the wish reaches the child.
    end_with_parent();
    const TestingFolder folder;
    const std::filesystem::path said = folder.path / "said";
    Subprocess::start({"sh", "-c", "echo $MLX_TOOLKIT_PARENT_PROCESS"},
                      {.output = said, .ends_with_parent = true})
        .wait();
    CHECK(read_file(said) == std::to_string(::getpid()) + "\n");
  }
}

}  // namespace
}  // namespace toolkit
