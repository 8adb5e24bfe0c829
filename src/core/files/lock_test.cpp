#include "core/files/lock.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "core/base/testing.h"

namespace fs = std::filesystem;
using namespace toolkit::files;
using toolkit::ErrorKind;
using toolkit::testing::contains;
using toolkit::testing::refusal_of;
using toolkit::testing::TestingFolder;

namespace {

/// A process that holds a lock until it is ended.
class Holder {
 public:
  Holder(const fs::path& path, LockMode mode) {
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    process_ = ::fork();
    if (process_ == 0) {
      const FileLock lock = FileLock::try_take(path, mode, "add hf://org/model");
      (void)!::write(ready[1], lock.held() ? "1" : "0", 1);
      for (;;) ::pause();
    }
    char held = '0';
    (void)!::read(ready[0], &held, 1);
    CHECK(held == '1');
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~Holder() { end(); }
  void end() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    process_ = -1;
  }
  pid_t process() const { return process_; }

 private:
  pid_t process_ = -1;
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("lock: exclusive keeps others out, shared lets shared in") {
    const TestingFolder folder;
    const fs::path path = folder.path / "store";
    {
      const FileLock one = FileLock::try_take(path, LockMode::kExclusive, "clean");
      CHECK(one.held());
      CHECK(!FileLock::try_take(path, LockMode::kShared, "add").held());
      CHECK(!FileLock::try_take(path, LockMode::kExclusive, "add").held());
    }
    const FileLock one = FileLock::try_take(path, LockMode::kShared, "add");
    const FileLock two = FileLock::try_take(path, LockMode::kShared, "add");
    CHECK(one.held());
    CHECK(two.held());
    CHECK(!FileLock::try_take(path, LockMode::kExclusive, "clean").held());
    CHECK(fs::exists(path));
  }

  TEST_CASE("lock: the holder is named, and its death frees the lock") {
    const TestingFolder folder;
    const fs::path path = folder.path / "model";
    Holder holder(path, LockMode::kExclusive);
    const std::string named =
        "process " + std::to_string(holder.process()) + " (add hf://org/model)";
    std::string told;
    const std::string refused = refusal_of(
        [&] {
          FileLock::take(path, LockMode::kExclusive, "remove", std::chrono::milliseconds(30),
                         [&](const std::string& who) { told = who; });
        },
        ErrorKind::kIo);
    CHECK(contains(refused, "held by " + named));
    CHECK(told == named);
    holder.end();
    int waited = 0;
    const FileLock lock = FileLock::take(path, LockMode::kExclusive, "remove",
                                         std::chrono::seconds(5), [&](const auto&) { ++waited; });
    CHECK(lock.held());
    CHECK(waited == 0);
  }

  TEST_CASE("lock: one that waits gets it when the holder ends") {
    const TestingFolder folder;
    const fs::path path = folder.path / "blob";
    Holder holder(path, LockMode::kShared);
    const FileLock lock =
        FileLock::take(path, LockMode::kExclusive, "clean", std::chrono::seconds(60),
                       [&](const std::string&) { holder.end(); });
    CHECK(lock.held());
  }

  TEST_CASE("lock: a moved lock is freed once, by its new owner") {
    const TestingFolder folder;
    const fs::path path = folder.path / "store";
    FileLock first = FileLock::try_take(path, LockMode::kExclusive, "clean");
    {
      const FileLock second = std::move(first);
      CHECK(second.held());
      CHECK(!FileLock::try_take(path, LockMode::kShared, "add").held());
    }
    CHECK(FileLock::try_take(path, LockMode::kShared, "add").held());
  }

  TEST_CASE("lock: a missing folder is named, a symlink is not followed") {
    const TestingFolder folder;
    const auto take = [&](const fs::path& path) {
      return refusal_of([&] { FileLock::try_take(path, LockMode::kShared, "add"); },
                        ErrorKind::kIo);
    };
    CHECK(contains(take(folder.path / "none" / "store"), "none/store: cannot open the lock file"));
    folder.write("victim", "text");
    fs::create_symlink("victim", folder.path / "lock");
    CHECK(contains(take(folder.path / "lock"), "cannot open the lock file"));
    CHECK(fs::file_size(folder.path / "victim") == 4);
  }
}
