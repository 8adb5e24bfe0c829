#include "core/files/tree.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/testing.h"

namespace fs = std::filesystem;
using namespace toolkit::files;
using toolkit::testing::contains;
using toolkit::testing::refusal_of;
using toolkit::testing::TestingFolder;

namespace {

struct Found {
  std::vector<std::string> entries, unreadable;
};

Found walk(const fs::path& root, const TreeLimits& limits = {}) {
  Found found;
  walk_tree(
      root, [&](const TreeEntry& entry) { found.entries.push_back(entry.relative); },
      [&](const fs::path& path, const std::string& why) {
        found.unreadable.push_back(path.filename().string() + ": " + why);
      },
      limits);
  return found;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("tree: files and symlinks in byte order, symlinks not followed") {
    const TestingFolder folder;
    for (const char* name : {"b", "a/2", "a/10", "B", "c/d/e"}) folder.write(name, "x");
    fs::create_directory_symlink("a", folder.path / "link");
    fs::create_symlink(".", folder.path / "circle");
    REQUIRE(::mkfifo((folder.path / "pipe").c_str(), 0600) == 0);
    const Found found = walk(folder.path);
    CHECK(found.entries ==
          std::vector<std::string>{"B", "a/10", "a/2", "b", "c/d/e", "circle", "link"});
    CHECK(found.unreadable.empty());
  }

  TEST_CASE("tree: what cannot be read is named and the rest is walked") {
    const TestingFolder folder;
    folder.write("a", "x");
    CHECK(walk(folder.path / "none").unreadable ==
          std::vector<std::string>{"none: No such file or directory"});
    CHECK(walk(folder.path / "a").unreadable == std::vector<std::string>{"a: Not a directory"});
    if (::geteuid() == 0) {
      std::puts("note: root can read every folder");
      return;
    }
    folder.write("closed/b", "x");
    ::chmod((folder.path / "closed").c_str(), 0);
    const Found found = walk(folder.path);
    ::chmod((folder.path / "closed").c_str(), 0700);
    CHECK(found.entries == std::vector<std::string>{"a"});
    CHECK(found.unreadable == std::vector<std::string>{"closed: Permission denied"});
  }

  TEST_CASE("tree: limits of depth and entries") {
    const TestingFolder folder;
    folder.write("1/2/3/file", "x");
    CHECK(walk(folder.path, {.depth = 3}).entries.size() == 1);
    CHECK(contains(refusal_of([&] { walk(folder.path, {.depth = 2}); }),
                   "3: more than 2 folders in each other"));
    CHECK(walk(folder.path, {.entries = 4}).entries.size() == 1);
    CHECK(contains(refusal_of([&] { walk(folder.path, {.entries = 3}); }),
                   "more than 3 files and folders"));
  }
}
