#include "core/base/atomic_file.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__linux__)
#include <sched.h>
#include <sys/mount.h>
#endif

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "core/base/testing.h"

namespace fs = std::filesystem;
using toolkit::Error;
using toolkit::ErrorKind;
using toolkit::read_file;
using toolkit::write_file_atomically;
using toolkit::testing::TestingFolder;

namespace {

[[maybe_unused]] bool write_plainly(const char* path, const std::string& text) {
  std::ofstream file(path);
  file << text << std::flush;
  return file.good();
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("atomic_file: writes, replaces, keeps permissions, leaves nothing beside") {
    const TestingFolder folder;
    const fs::path file = folder.path / "a.json";
    write_file_atomically(file, "one");
    CHECK(read_file(file) == "one");
    ::chmod(file.c_str(), 0600);
    write_file_atomically(file, "two");
    CHECK(read_file(file) == "two");
    CHECK((fs::status(file).permissions() & fs::perms::all) ==
          (fs::perms::owner_read | fs::perms::owner_write));
    CHECK(folder.entries() == 1);
  }

  TEST_CASE("atomic_file: an exception while writing leaves the old content") {
    const TestingFolder folder;
    const fs::path file = folder.path / "a.json";
    write_file_atomically(file, "old");
    CHECK_THROWS_AS(write_file_atomically(file,
                                          [](const auto& append) {
                                            append("half");
                                            toolkit::fail(ErrorKind::kInternal, "stop");
                                          }),
                    Error);
    CHECK(read_file(file) == "old");
    CHECK(folder.entries() == 1);
  }

  TEST_CASE("atomic_file: kill -9 in the middle leaves the old content, the next write cleans up") {
    const TestingFolder folder;
    const fs::path file = folder.path / "a.json";
    write_file_atomically(file, "old");
    const pid_t child = ::fork();
    if (child == 0) {
      write_file_atomically(file, [](const auto& append) {
        append("half");
        ::kill(::getpid(), SIGKILL);
      });
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    CHECK(read_file(file) == "old");
    CHECK(folder.entries() == 2);
    write_file_atomically(file, "new");
    CHECK(read_file(file) == "new");
    CHECK(folder.entries() == 1);
  }

  TEST_CASE("atomic_file: a write that fails half way leaves the old content and says why") {
    const TestingFolder folder;
    const fs::path file = folder.path / "a.json";
    write_file_atomically(file, "old");
    const pid_t child = ::fork();
    if (child == 0) {
      const rlimit limit{100, 100};
      ::setrlimit(RLIMIT_FSIZE, &limit);
      ::signal(SIGXFSZ, SIG_IGN);
      try {
        write_file_atomically(file, std::string(1000, 'x'));
      } catch (const Error& error) {
        const bool clear =
            std::string(error.what()).ends_with("a.json: cannot write: File too large");
        ::_exit(error.kind() == ErrorKind::kIo && clear ? 7 : 8);
      }
      ::_exit(9);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WEXITSTATUS(status) == 7);
    CHECK(read_file(file) == "old");
    CHECK(folder.entries() == 1);
  }

#if defined(__linux__)
  TEST_CASE("atomic_file: a full disk is reported with what is needed and free") {
    const TestingFolder folder;
    const pid_t child = ::fork();
    if (child == 0) {
      // A tiny file system of our own, where the kernel lets us have one.
      const std::string user = "0 " + std::to_string(::getuid()) + " 1";
      const std::string group = "0 " + std::to_string(::getgid()) + " 1";
      if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 ||
          !write_plainly("/proc/self/uid_map", user) ||
          !write_plainly("/proc/self/setgroups", "deny") ||
          !write_plainly("/proc/self/gid_map", group) ||
          ::mount("none", folder.path.c_str(), "tmpfs", 0, "size=64k") != 0)
        ::_exit(6);
      try {
        write_file_atomically(folder.path / "a.json", std::string(1000000, 'x'));
      } catch (const Error& error) {
        const std::string text = error.what();
        const bool clear =
            text.find("a.json: the disk is full: at least 1.0 MB are needed") != std::string::npos;
        ::_exit(error.kind() == ErrorKind::kIo && clear && folder.entries() == 0 ? 7 : 8);
      }
      ::_exit(9);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WEXITSTATUS(status) == 6) {
      std::puts("SKIPPED: this machine does not let a test mount a small file system");
      return;
    }
    CHECK(WEXITSTATUS(status) == 7);
  }

#endif

  TEST_CASE("atomic_file: a missing folder is named") {
    const TestingFolder folder;
    try {
      write_file_atomically(folder.path / "missing" / "a.json", "x");
      FAIL("expected an error");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kIo);
      CHECK(std::string(error.what())
                .find("missing/a.json: cannot create a file there: No such file") !=
            std::string::npos);
    }
  }

  TEST_CASE("atomic_file: read_file says what is wrong") {
    const TestingFolder folder;
    auto kind = [](const fs::path& path, size_t limit) {
      try {
        read_file(path, limit);
      } catch (const Error& error) {
        return error.kind();
      }
      return ErrorKind::kInternal;
    };
    CHECK(kind(folder.path / "nothing", 10) == ErrorKind::kNotFound);
    CHECK(kind(folder.path, 10) == ErrorKind::kUserInput);
    write_file_atomically(folder.path / "big", std::string(11, 'x'));
    CHECK(kind(folder.path / "big", 10) == ErrorKind::kUserInput);
    CHECK(read_file(folder.path / "big", 11).size() == 11);
  }
}
