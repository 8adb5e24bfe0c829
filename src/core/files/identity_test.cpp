#include "core/files/identity.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "core/base/testing.h"

namespace fs = std::filesystem;
using namespace toolkit::files;
using toolkit::testing::TestingFolder;

TEST_SUITE("unit") {
  TEST_CASE("identity: two names of one file, and another file") {
    const TestingFolder folder;
    const fs::path a = folder.write("a", "content"), b = folder.path / "b";
    fs::create_hard_link(a, b);
    const auto first = identity_of(a), second = identity_of(b);
    REQUIRE(first);
    REQUIRE(second);
    CHECK(same_file(*first, *second));
    CHECK(unchanged(*first, *second));
    CHECK(first->kind == FileKind::kFile);
    CHECK(first->links == 2);
    CHECK(first->size_bytes == 7);
    CHECK(first->user == ::geteuid());
    CHECK(!same_file(*first, *identity_of(folder.write("c", "content"))));
  }

  TEST_CASE("identity: a change of size or of nanoseconds is seen") {
    const TestingFolder folder;
    const fs::path a = folder.write("a", "content");
    const timespec at[2] = {{.tv_sec = 1'700'000'000, .tv_nsec = 123456789},
                            {.tv_sec = 1'700'000'000, .tv_nsec = 123456789}};
    REQUIRE(::utimensat(AT_FDCWD, a.c_str(), at, 0) == 0);
    const Identity before = *identity_of(a);
    CHECK(before.mtime_ns == 1'700'000'000'123456789);
    const timespec later[2] = {at[0], {.tv_sec = 1'700'000'000, .tv_nsec = 123456790}};
    REQUIRE(::utimensat(AT_FDCWD, a.c_str(), later, 0) == 0);
    CHECK(!unchanged(before, *identity_of(a)));
    REQUIRE(::utimensat(AT_FDCWD, a.c_str(), at, 0) == 0);
    CHECK(unchanged(before, *identity_of(a)));
    fs::resize_file(a, 3);
    CHECK(!unchanged(before, *identity_of(a)));
  }

  TEST_CASE("identity: symlinks, folders, pipes and nothing") {
    const TestingFolder folder;
    folder.write("target", "12345");
    fs::create_symlink("target", folder.path / "link");
    fs::create_symlink("nowhere", folder.path / "dangling");
    fs::create_symlink("circle", folder.path / "circle");
    REQUIRE(::mkfifo((folder.path / "pipe").c_str(), 0600) == 0);
    CHECK(identity_of(folder.path / "link")->kind == FileKind::kSymlink);
    CHECK(resolved_identity(folder.path / "link")->size_bytes == 5);
    CHECK(identity_of(folder.path / "dangling")->kind == FileKind::kSymlink);
    CHECK(!resolved_identity(folder.path / "dangling"));
    CHECK(!resolved_identity(folder.path / "circle"));
    CHECK(identity_of(folder.path)->kind == FileKind::kFolder);
    CHECK(identity_of(folder.path / "pipe")->kind == FileKind::kOther);
    CHECK(!identity_of(folder.path / "none"));
    CHECK(!identity_of(folder.path / "target" / "below a file"));
  }

  TEST_CASE("identity: a sparse file takes fewer blocks than its size") {
    const TestingFolder folder;
    const fs::path file = folder.write("sparse", "");
    fs::resize_file(file, 64 << 20);
    CHECK(identity_of(file)->size_bytes == 64 << 20);
    CHECK(identity_of(file)->allocated_bytes < 1 << 20);
    CHECK(identity_of(folder.write("full", std::string(100000, 'x')))->allocated_bytes % 512 == 0);
  }
}
