#include "core/files/folder.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "core/base/atomic_file.h"
#include "core/base/testing.h"

namespace fs = std::filesystem;
using namespace toolkit::files;
using toolkit::ErrorKind;
using toolkit::read_file;
using toolkit::testing::contains;
using toolkit::testing::refusal_of;
using toolkit::testing::TestingFolder;

namespace {

void write_new(const Folder& folder, const std::string& name, const std::string& text) {
  const int file = folder.create_file(name);
  CHECK(::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  sync_file(file, folder.path() / name);
  ::close(file);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("folder: files made, found, renamed, removed") {
    const TestingFolder testing;
    const Folder folder = Folder::open_or_create(testing.path / "store" / "models");
    CHECK((fs::status(folder.path()).permissions() & fs::perms::all) ==
          (fs::perms(0755) & ~fs::perms::none));
    write_new(folder, "a/b/weights", "12345");
    CHECK(folder.find("a/b/weights")->size_bytes == 5);
    CHECK(folder.find("a/b/weights")->mode == 0600);
    CHECK(folder.find("a")->kind == FileKind::kFolder);
    CHECK(!folder.find("a/none"));
    CHECK(!folder.find("none/at/all"));
    const int file = folder.open_file("a/b/weights");
    char text[8] = {};
    CHECK(::read(file, text, sizeof text) == 5);
    ::close(file);
    folder.subfolder("c/d", true);
    folder.rename("a/b/weights", "c/d/weights");
    CHECK(read_file(folder.path() / "c/d/weights") == "12345");
    CHECK(folder.remove_file("c/d/weights"));
    CHECK(!folder.remove_file("c/d/weights"));
    folder.sync();
  }

  TEST_CASE("folder: nothing there is over-written, nothing missing is opened") {
    const TestingFolder testing;
    const Folder folder = Folder::open(testing.path);
    testing.write("a", "old");
    const auto io = ErrorKind::kIo;
    CHECK(contains(refusal_of([&] { folder.create_file("a"); }, io), "a: cannot make the file"));
    CHECK(contains(refusal_of([&] { folder.open_file("none"); }, io), "No such file"));
    CHECK(contains(refusal_of([&] { folder.subfolder("none", false); }, io), "No such file"));
    CHECK(contains(refusal_of([&] { Folder::open(testing.path / "none"); }, io), "No such file"));
    CHECK(contains(refusal_of([&] { folder.subfolder("a", true); }), "a file stands where"));
    CHECK(contains(refusal_of([&] { folder.open_file("."); }), "has a part '.'"));
    CHECK(read_file(testing.path / "a") == "old");
  }

  TEST_CASE("folder: a planted symlink leads nowhere") {
    const TestingFolder testing;
    testing.write("outside/secret", "secret");
    fs::create_directories(testing.path / "store/real");
    fs::create_symlink("../outside", testing.path / "store/link");
    fs::create_symlink("../../outside/secret", testing.path / "store/real/file");
    const Folder folder = Folder::open(testing.path / "store");
    const auto refused = [](const auto& call) { return contains(refusal_of(call), "symlink"); };
    CHECK(refused([&] { folder.open_file("link/secret"); }));
    CHECK(refused([&] { folder.create_file("link/new"); }));
    CHECK(refused([&] { folder.find("link/secret"); }));
    CHECK(refused([&] { folder.remove_file("link/secret"); }));
    CHECK(refused([&] { folder.remove_tree("link/secret"); }));
    CHECK(refused([&] { folder.subfolder("link", true); }));
    CHECK(refused([&] { folder.rename("link/secret", "mine"); }));
    CHECK(refused([&] { folder.rename("real/file", "link/x"); }));
    CHECK(refused([&] { folder.open_file("real/file"); }));
    CHECK(contains(refusal_of([&] { folder.create_file("../outside/new"); }), "'..'"));
    CHECK(read_file(testing.path / "outside/secret") == "secret");
    CHECK(folder.find("link")->kind == FileKind::kSymlink);
    CHECK(folder.remove_file("link"));
    CHECK(read_file(testing.path / "outside/secret") == "secret");
  }

  TEST_CASE("folder: a tree goes whole, what its symlinks lead to stays") {
    const TestingFolder testing;
    testing.write("outside/kept", "kept");
    testing.write("store/model/a/b/c", "1");
    testing.write("store/model/d", "2");
    fs::create_symlink("../../outside", testing.path / "store/model/folder");
    fs::create_symlink("../../../outside/kept", testing.path / "store/model/a/file");
    const std::string odd = "odd\nname\xff";
    testing.write("store/model/" + odd, "3");
    const Folder folder = Folder::open(testing.path / "store");
    folder.remove_tree("model");
    CHECK(!folder.find("model"));
    CHECK(read_file(testing.path / "outside/kept") == "kept");
    folder.remove_tree("model");
    fs::create_symlink("../outside", testing.path / "store/model");
    folder.remove_tree("model");
    CHECK(!folder.find("model"));
    CHECK(read_file(testing.path / "outside/kept") == "kept");
  }

  TEST_CASE("folder: a pipe is not opened as a file") {
    const TestingFolder testing;
    const Folder folder = Folder::open(testing.path);
    fs::create_directory(testing.path / "inner");
    CHECK(contains(refusal_of([&] { folder.open_file("inner"); }), "expected a regular file"));
  }

  TEST_CASE("folder: temporary names are ours and never equal") {
    std::set<std::string> names;
    for (int i = 0; i < 1000; ++i) names.insert(temporary_name());
    CHECK(names.size() == 1000);
    CHECK(names.begin()->starts_with(kTemporaryPrefix));
    CHECK(names.begin()->size() == kTemporaryPrefix.size() + 16);
  }
}
