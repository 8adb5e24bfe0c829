#include "core/model_store/fetch/publish_folder.h"

#include <doctest/doctest.h>

#include "core/base/atomic_file.h"
#include "core/model_store/registry/testing_store.h"

namespace fs = std::filesystem;
using namespace toolkit::model_store;

namespace {

const ModelName kName = parse_model_name("hf://org/model");

/// A folder as `add` makes it, before its rename.
void make_new(const TestingStore& store, const std::string& content) {
  const fs::path making = folder_in_the_making(store.layout, kName);
  store.folder.write((making / "a.bin").lexically_relative(store.folder.path).string(), content);
  write_metadata(making, TestingStore::describe_files(kName.uri(), {{"a.bin", content}}));
}

std::string content_of(const TestingStore& store) {
  const fs::path file = store.layout.model_folder(kName) / "a.bin";
  return fs::exists(file) ? toolkit::read_file(file) : "";
}

size_t entries(const fs::path& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), {}));
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("publish_folder: new, over an old folder, and over the symlink of a found model") {
    TestingStore store;
    make_new(store, "one");
    CHECK(is_complete_folder(folder_in_the_making(store.layout, kName)));
    publish_folder(store.layout, kName);
    CHECK(content_of(store) == "one");
    make_new(store, "two");
    publish_folder(store.layout, kName);
    CHECK(content_of(store) == "two");
    CHECK(entries(store.layout.models()) == 1);

    const fs::path elsewhere = store.folder.write("elsewhere/a.bin", std::string("theirs"));
    fs::remove_all(store.layout.model_folder(kName));
    fs::create_directory_symlink(elsewhere.parent_path(), store.layout.model_folder(kName));
    make_new(store, "three");
    publish_folder(store.layout, kName);
    CHECK(content_of(store) == "three");
    CHECK(toolkit::read_file(elsewhere) == "theirs");
    CHECK(entries(store.layout.models()) == 1);
  }

  TEST_CASE("publish_folder: a kill at any step leaves the old or the new model, whole") {
    const auto left = [](bool model, bool old_one, bool new_one, bool new_whole) {
      TestingStore store;
      const fs::path folder = store.layout.model_folder(kName);
      const fs::path old_path = store.layout.models() / ("." + kName.folder_name() + ".old");
      const auto make = [&](const std::string& content, const fs::path& to) {
        make_new(store, content);
        fs::rename(folder_in_the_making(store.layout, kName), to);
      };
      if (model) make("model", folder);
      if (old_one) make("old", old_path);
      if (new_one) make_new(store, "new");
      if (new_one && !new_whole) fs::remove(folder_in_the_making(store.layout, kName) / "a.bin");
      const bool something = recover_folder(store.layout, kName);
      CHECK(something == (old_one || new_one));
      CHECK(entries(store.layout.models()) == (fs::exists(folder) ? 1 : 0));
      CHECK_FALSE(recover_folder(store.layout, kName));
      return content_of(store);
    };
    CHECK(left(false, false, false, false) == "");
    CHECK(left(false, false, true, false) == "");      // while files are linked
    CHECK(left(true, false, true, true) == "model");   // before the first rename
    CHECK(left(false, true, true, true) == "new");     // between the renames
    CHECK(left(true, true, false, false) == "model");  // before the old one is removed
    CHECK(left(false, true, false, false) == "old");
    CHECK(left(false, true, true, false) == "old");
  }

  TEST_CASE("publish_folder: a folder that lacks a byte is not complete") {
    TestingStore store;
    make_new(store, "content");
    const fs::path making = folder_in_the_making(store.layout, kName);
    fs::resize_file(making / "a.bin", 6);
    CHECK_FALSE(is_complete_folder(making));
    fs::remove(making / "a.bin");
    fs::create_symlink(store.folder.write("x", std::string("content")), making / "a.bin");
    CHECK_FALSE(is_complete_folder(making));
    fs::remove(making / kMetadataFile);
    CHECK_FALSE(is_complete_folder(making));
    CHECK_FALSE(is_complete_folder(store.layout.models() / "absent"));
  }
}
