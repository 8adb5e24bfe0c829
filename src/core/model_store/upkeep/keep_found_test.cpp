#include "core/model_store/upkeep/keep_found.h"

#include <doctest/doctest.h>

#include "core/files/identity.h"
#include "core/model_store/registry/testing_store.h"

namespace toolkit::model_store {

namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::refusal_of;

const std::vector<std::pair<std::string, std::string>> kFiles{{"a.gguf", "weights"},
                                                              {"sub/config.json", "{}"}};

/// A snapshot of another program, shown by one symlink.
ModelName found_by_link(TestingStore& store) {
  for (const auto& [name, content] : kFiles) store.folder.write("hub/snapshot/" + name, content);
  const Metadata found = TestingStore::describe_files("hf://org/found", kFiles);
  const fs::path link = store.layout.model_folder(found.name);
  fs::create_directory_symlink(store.folder.path / "hub/snapshot", link);
  write_metadata(link, found);
  store.registry.put(found, link, true);
  return found.name;
}

/// Blobs of another program, shown by a folder of symlinks.
ModelName found_by_links(TestingStore& store) {
  const Metadata found = TestingStore::describe_files("ollama://x:y", {{"model.gguf", "weights"}});
  const fs::path folder = store.layout.model_folder(found.name);
  store.folder.write("ollama/blob", "weights");
  fs::create_directories(folder);
  fs::create_symlink(store.folder.path / "ollama/blob", folder / "model.gguf");
  write_metadata(folder, found);
  store.registry.put(found, folder, true);
  return found.name;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a found model is kept without a copy and outlives the other program's names") {
    TestingStore store;
    const ModelName name = found_by_link(store);
    const ModelRecord kept = keep_found_model(store.registry, store.layout, name);
    CHECK(!kept.is_symlink);
    const fs::path file = store.layout.model_folder(name) / "a.gguf";
    CHECK(files::same_file(*files::identity_of(file),
                           *files::identity_of(store.folder.path / "hub/snapshot/a.gguf")));
    CHECK(fs::exists(store.layout.model_folder(name) / "sub/config.json"));
    CHECK(!fs::exists(store.layout.models() / ".hf--org--found.metadata.json"));
    fs::remove_all(store.folder.path / "hub");
    CHECK(fs::file_size(file) == 7);
    CHECK(keep_found_model(store.registry, store.layout, name).id == kept.id);
  }

  TEST_CASE("a folder of links becomes a folder of files") {
    TestingStore store;
    const ModelName name = found_by_links(store);
    CHECK(!keep_found_model(store.registry, store.layout, name).is_symlink);
    const auto file = files::identity_of(store.layout.model_folder(name) / "model.gguf");
    REQUIRE(file);
    CHECK(file->kind == files::FileKind::kFile);
    CHECK(file->links == 2);
    CHECK(std::distance(fs::directory_iterator(store.layout.models()), fs::directory_iterator()) ==
          1);
  }

  TEST_CASE("a file that changed or is gone is refused, the link stays") {
    TestingStore store;
    const ModelName name = found_by_links(store);
    const auto refusal = [&] {
      return refusal_of([&] { keep_found_model(store.registry, store.layout, name); },
                        ErrorKind::kIo);
    };
    store.folder.write("ollama/blob", "WEIGHTS");
    CHECK(contains(refusal(), "changed since it was found"));
    fs::remove(store.folder.path / "ollama/blob");
    CHECK(contains(refusal(), "leads nowhere"));
    CHECK(store.registry.find(name)->is_symlink);
    CHECK(fs::is_symlink(store.layout.model_folder(name) / "model.gguf"));
  }
}

}  // namespace toolkit::model_store
