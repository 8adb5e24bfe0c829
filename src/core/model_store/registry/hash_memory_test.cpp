#include "core/model_store/registry/hash_memory.h"

#include <doctest/doctest.h>

#include <chrono>

#include "core/model_store/registry/testing_store.h"

namespace toolkit::model_store {

namespace {

namespace fs = std::filesystem;

void age(const fs::path& path, std::chrono::seconds by) {
  fs::last_write_time(path, fs::file_time_type::clock::now() - by);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a hash is remembered by device, inode, size and time") {
    TestingStore store;
    HashMemory memory(store.registry.database());
    const fs::path path = store.folder.write("a", "content");
    age(path, std::chrono::seconds(10));
    CHECK(!memory.recall(*files::identity_of(path)));
    CHECK(memory.of(path) == sha256_of("content"));
    CHECK(memory.recall(*files::identity_of(path)) == sha256_of("content"));
    // Another name of the same file is the same file.
    fs::create_hard_link(path, store.folder.path / "b");
    CHECK(memory.recall(*files::identity_of(store.folder.path / "b")) == sha256_of("content"));
    // A write changes the time, another file has another inode.
    age(path, std::chrono::seconds(9));
    CHECK(!memory.recall(*files::identity_of(path)));
    store.folder.write("a", "CONTENT");
    CHECK(memory.of(path) == sha256_of("CONTENT"));
  }

  TEST_CASE("a young file is hashed and not remembered") {
    TestingStore store;
    HashMemory memory(store.registry.database());
    const fs::path path = store.folder.write("a", "content");
    CHECK(memory.of(path) == sha256_of("content"));
    CHECK(!memory.recall(*files::identity_of(path)));
  }

  TEST_CASE("nothing is written to a registry that is only read") {
    TestingStore store;
    const fs::path path = store.folder.write("a", "content");
    age(path, std::chrono::seconds(10));
    Registry reader = Registry::open(store.layout, store::OpenMode::kReadOnly);
    HashMemory memory(reader.database());
    CHECK(memory.of(path) == sha256_of("content"));
    CHECK(!memory.recall(*files::identity_of(path)));
  }

  TEST_CASE("inodes that are gone are forgotten") {
    TestingStore store;
    HashMemory memory(store.registry.database());
    for (const char* name : {"a", "b"}) {
      age(store.folder.write(name, name), std::chrono::seconds(10));
      memory.of(store.folder.path / name);
    }
    const auto kept = *files::identity_of(store.folder.path / "a");
    CHECK(memory.forget_all_but([&](uint64_t device, uint64_t inode) {
      return device == kept.device && inode == kept.inode;
    }) == 1);
    CHECK(memory.recall(kept));
    CHECK(!memory.recall(*files::identity_of(store.folder.path / "b")));
  }
}

}  // namespace toolkit::model_store
