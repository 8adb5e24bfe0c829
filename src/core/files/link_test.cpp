#include "core/files/link.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "core/base/atomic_file.h"
#include "core/base/testing.h"
#include "core/files/folder.h"
#include "core/files/identity.h"

namespace fs = std::filesystem;
using namespace toolkit::files;
using toolkit::Error;
using toolkit::ErrorKind;
using toolkit::read_file;
using toolkit::testing::contains;
using toolkit::testing::refusal_of;
using toolkit::testing::TestingFolder;

namespace {

/// A folder on another file system than the testing folder's, gone with this object.
struct OtherVolume {
  fs::path path;
  OtherVolume() {
    const fs::path memory = "/dev/shm";
    const auto here = resolved_identity(fs::temp_directory_path());
    const auto there = resolved_identity(memory);
    if (!there || there->device == here->device || ::access(memory.c_str(), W_OK) != 0) return;
    path = memory / temporary_name();
    fs::create_directory(path);
  }
  ~OtherVolume() {
    std::error_code ignored;
    if (!path.empty()) fs::remove_all(path, ignored);
  }
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("link: each kind makes what its name says") {
    const TestingFolder folder;
    const fs::path source = folder.write("source", "content");
    ::chmod(source.c_str(), 0444);
    const auto hard = make_link(source, folder.path / "hard", {LinkKind::kHardLink});
    CHECK(hard.kind == LinkKind::kHardLink);
    CHECK(hard.reason == "");
    CHECK(same_file(*identity_of(source), *identity_of(folder.path / "hard")));
    CHECK(make_link(source, folder.path / "soft", {LinkKind::kSymlink}).kind == LinkKind::kSymlink);
    CHECK(fs::read_symlink(folder.path / "soft") == source);
    CHECK(make_link(source, folder.path / "copy", {LinkKind::kCopy}).kind == LinkKind::kCopy);
    CHECK(read_file(folder.path / "copy") == "content");
    CHECK(identity_of(folder.path / "copy")->mode == 0444);
    CHECK(!same_file(*identity_of(source), *identity_of(folder.path / "copy")));
    CHECK(std::string(link_kind_name(LinkKind::kHardLink)) == "hard link");
    CHECK(std::string(link_kind_name(LinkKind::kClone)) == "clone");
  }

  TEST_CASE("link: a hard link of a symlink is one of the file it leads to") {
    const TestingFolder folder;
    const fs::path source = folder.write("source", "content");
    fs::create_symlink("source", folder.path / "soft");
    make_link(folder.path / "soft", folder.path / "hard", {LinkKind::kHardLink});
    CHECK(same_file(*identity_of(source), *identity_of(folder.path / "hard")));
  }

  TEST_CASE("link: symlinks inside one root are relative and survive its move") {
    const TestingFolder folder;
    const fs::path source = folder.write("root/blobs/abc", "content");
    fs::create_directories(folder.path / "root/snapshots/1/onnx");
    const fs::path inside = folder.path / "root/snapshots/1/onnx/model";
    make_link(source, inside, {LinkKind::kSymlink}, folder.path / "root");
    CHECK(fs::read_symlink(inside) == "../../../blobs/abc");
    make_link(source, folder.path / "outside", {LinkKind::kSymlink}, folder.path / "root");
    CHECK(fs::read_symlink(folder.path / "outside").is_absolute());
    fs::rename(folder.path / "root", folder.path / "moved");
    CHECK(read_file(folder.path / "moved/snapshots/1/onnx/model") == "content");
  }

  TEST_CASE("link: a file system without clones leads to the next kind, with the reason") {
    const TestingFolder folder;
    const fs::path source = folder.write("source", std::string(100000, 'x'));
    const auto outcome =
        make_link(source, folder.path / "target", {LinkKind::kClone, LinkKind::kHardLink});
    if (can_link(folder.path, folder.path, LinkKind::kClone)) {
      CHECK(outcome.kind == LinkKind::kClone);
      CHECK(!same_file(*identity_of(source), *identity_of(folder.path / "target")));
      CHECK(read_file(folder.path / "target") == read_file(source));
    } else {
      CHECK(outcome.kind == LinkKind::kHardLink);
      CHECK(outcome.reason == "clone: the file system cannot share blocks");
    }
    CHECK(folder.entries() == 2);
  }

  TEST_CASE("link: files that share blocks are known, copies and hard links aside") {
    const TestingFolder folder;
    const fs::path source = folder.write("source", std::string(300000, 'x'));
    const fs::path copy = folder.write("copy", std::string(300000, 'x'));
    CHECK(!share_blocks(source, copy));
    CHECK(!share_blocks(source, folder.path / "none"));
    CHECK(!share_blocks(folder.write("empty", ""), folder.write("empty2", "")));
    if (!can_link(folder.path, folder.path, LinkKind::kClone)) {
      std::puts("SKIPPED: the file system of the temporary folder has no clones (TMPDIR)");
      return;
    }
    CHECK(clone_file(source, folder.path / "clone"));
    CHECK(share_blocks(source, folder.path / "clone"));
    std::ofstream(folder.path / "clone", std::ios::in | std::ios::out) << std::string(8192, 'y');
    CHECK(!share_blocks(source, folder.path / "clone"));
    CHECK(read_file(source) == std::string(300000, 'x'));
  }

  TEST_CASE("link: another volume (EXDEV) takes the next kind - without one nothing is left") {
    const TestingFolder folder;
    const OtherVolume other;
    if (other.path.empty()) {
      std::puts("SKIPPED: no second file system to write to (/dev/shm)");
      return;
    }
    const fs::path source = folder.write("source", "content"), target = other.path / "target";
    const std::string refused =
        refusal_of([&] { make_link(source, target, {LinkKind::kHardLink, LinkKind::kClone}); },
                   ErrorKind::kIo);
    CHECK(contains(refused, "hard link: other volume (EXDEV); clone: the file system cannot"));
    CHECK(fs::is_empty(other.path));
    const auto copied = make_link(source, target, {LinkKind::kHardLink, LinkKind::kCopy});
    CHECK(copied.kind == LinkKind::kCopy);
    CHECK(copied.reason == "hard link: other volume (EXDEV)");
    CHECK(read_file(target) == "content");
    CHECK(!can_link(folder.path, other.path, LinkKind::kHardLink));
    CHECK(can_link(folder.path, folder.path, LinkKind::kHardLink));
    CHECK(folder.entries() == 1);
  }

  TEST_CASE("link: no right to link another user's file (protected_hardlinks) takes the next") {
    if (::geteuid() != 0) {
      std::puts("SKIPPED: only root can become another user");
      return;
    }
    const TestingFolder folder;
    const fs::path source = folder.write("source", "content");
    ::chmod(folder.path.c_str(), 0777);
    ::chmod(source.c_str(), 0644);
    const pid_t child = ::fork();
    if (child == 0) {
      constexpr uid_t kNobody = 65534;
      if (::setresuid(kNobody, kNobody, kNobody) != 0) ::_exit(6);
      try {
        const auto outcome =
            make_link(source, folder.path / "target", {LinkKind::kHardLink, LinkKind::kCopy});
        if (outcome.kind == LinkKind::kHardLink) ::_exit(6);
        ::_exit(outcome.reason == "hard link: not allowed (EPERM)" ? 7 : 8);
      } catch (const Error&) {
        ::_exit(9);
      }
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WEXITSTATUS(status) == 6) {
      std::puts("SKIPPED: this system lets everyone link every file");
      return;
    }
    CHECK(WEXITSTATUS(status) == 7);
  }

  TEST_CASE("link: what is there is never replaced, what is missing is named") {
    const TestingFolder folder;
    const fs::path source = folder.write("source", "content"), old = folder.write("old", "old");
    const auto io = ErrorKind::kIo;
    CHECK(contains(refusal_of([&] { make_link(source, old, {LinkKind::kHardLink}); }, io),
                   "there is something already"));
    CHECK(read_file(old) == "old");
    fs::create_symlink("nowhere", folder.path / "dangling");
    CHECK(contains(
        refusal_of([&] { make_link(source, folder.path / "dangling", {LinkKind::kCopy}); }, io),
        "there is something already"));
    CHECK(contains(
        refusal_of([&] { make_link(folder.path / "none", folder.path / "t", {LinkKind::kCopy}); },
                   io),
        "no such file"));
    CHECK(contains(refusal_of([&] { make_link(source, folder.path / "t", {}); }, io),
                   "no kind of link is allowed"));
    CHECK(contains(refusal_of(
                       [&] {
                         make_link(source, folder.path / "no/t",
                                   {LinkKind::kHardLink, LinkKind::kCopy});
                       },
                       io),
                   "No such file"));
    CHECK(folder.entries() == 3);
  }
}
