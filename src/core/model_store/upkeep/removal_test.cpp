#include "core/model_store/upkeep/removal.h"

#include <doctest/doctest.h>

#include "core/files/identity.h"
#include "core/model_store/registry/testing_store.h"

namespace toolkit::model_store {

namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::refusal_of;

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("row and folder go, nothing else") {
    TestingStore store;
    const std::string weights(100'000, 'w');
    const ModelName name = store.add("hf://org/model", {{"sub/a.gguf", weights}}).name;
    store.add("hf://org/other", {{"a", "1"}});
    CHECK(remove_model(store.registry, store.layout, name, false) >= weights.size());
    CHECK(!store.registry.find(name));
    CHECK(!fs::exists(store.layout.model_folder(name)));
    CHECK(fs::exists(store.layout.models() / "hf--org--other/a"));
    CHECK(contains(refusal_of([&] { remove_model(store.registry, store.layout, name, false); },
                              ErrorKind::kNotFound),
                   "hf://org/model is not in the cache."));
  }

  TEST_CASE("content that has another name frees nothing") {
    TestingStore store;
    const ModelName name = store.add("hf://org/model", {{"a.gguf", std::string(5000, 'w')}}).name;
    fs::create_hard_link(store.layout.model_folder(name) / "a.gguf", store.folder.path / "mine");
    const fs::path metadata = store.layout.model_folder(name) / ".metadata.json";
    const uint64_t rest = files::identity_of(metadata)->allocated_bytes;
    CHECK(remove_model(store.registry, store.layout, name, false) == rest);
    CHECK(fs::exists(store.folder.path / "mine"));
  }

  TEST_CASE("a linked app keeps it, one that was only seen does not") {
    TestingStore store;
    const ModelName name = store.add("hf://org/model", {{"a", "1"}}).name;
    store.registry.put_app("toolkit", "/bin/t", AppKind::kSeen);
    store.registry.put_app("Chat", "/apps/chat");
    store.registry.use(name, "/bin/t");
    store.registry.use(name, "/apps/chat");
    const std::string refusal =
        refusal_of([&] { remove_model(store.registry, store.layout, name, false); });
    CHECK(contains(refusal, "is used by Chat. `mlx-cache unlink /apps/chat --model"));
    CHECK(fs::exists(store.layout.model_folder(name) / "a"));
    store.registry.release(name, "/apps/chat");
    remove_model(store.registry, store.layout, name, false);
    CHECK(!store.registry.find(name));
  }

  TEST_CASE("a found model loses its link, the program keeps its files") {
    TestingStore store;
    const fs::path blob = store.folder.write("hub/a.gguf", "found");
    const Metadata found = TestingStore::describe_files("hf://org/found", {{"a.gguf", "found"}});
    const fs::path link = store.layout.model_folder(found.name);
    fs::create_directory_symlink(blob.parent_path(), link);
    write_metadata(link, found);
    store.registry.put(found, link, true);
    CHECK(remove_model(store.registry, store.layout, found.name, false) == 0);
    CHECK(fs::exists(blob));
    CHECK(!fs::exists(fs::symlink_status(link)));
    CHECK(fs::is_empty(store.layout.models()));
  }

  TEST_CASE("the path in the database is not what is removed") {
    TestingStore store;
    const ModelName name = store.add("hf://org/model", {{"a", "1"}}).name;
    const fs::path letter = store.folder.write("letters/a", "x");
    store.registry.database()
        .prepare("UPDATE models SET local_path = ?")
        .bind(1, letter.parent_path().string())
        .run();
    remove_model(store.registry, store.layout, name, false);
    CHECK(fs::exists(letter));
    CHECK(!fs::exists(store.layout.model_folder(name)));
  }
}

}  // namespace toolkit::model_store
