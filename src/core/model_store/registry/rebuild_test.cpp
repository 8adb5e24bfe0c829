#include "core/model_store/registry/rebuild.h"

#include <doctest/doctest.h>

#include "core/model_store/registry/put_models.h"
#include "core/model_store/registry/testing_store.h"

namespace toolkit::model_store {

namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::refusal_of;

/// Everything the registry says of models, for comparing.
std::string text_of(Registry& registry) {
  std::string text;
  for (const ModelRecord& model : registry.models()) {
    text += fmt::format("{} {} {} {} {} {} {} {}\n", model.name.uri(), model.local_path.string(),
                        model.size_bytes, model.downloaded_at, model.checksum, model.revision,
                        model.is_symlink, model.state);
    for (const FileRecord& file : registry.files_of(model.name))
      text += fmt::format("  {} {} {}\n", file.name, file.size_bytes, file.sha256);
  }
  return text;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a registry that was deleted comes back the same") {
    TestingStore store;
    store.add("hf://org/model", {{"config.json", "{}"}, {"sub/model.safetensors", "weights"}});
    store.add("ollama://x:y", {{"model.gguf", "gguf"}});
    // A model that was found: one symlink, its metadata beside it.
    const fs::path elsewhere = store.folder.path / "hub";
    store.folder.write("hub/model.gguf", "found");
    const Metadata found =
        TestingStore::describe_files("hf://org/found", {{"model.gguf", "found"}});
    const fs::path link = store.layout.model_folder(found.name);
    fs::create_directory_symlink(elsewhere, link);
    write_metadata(link, found);
    store.registry.put(found, link, true);
    const std::string before = text_of(store.registry);

    Registry anew = Registry::in_memory();
    const RebuildReport report = rebuild(anew, store.layout);
    CHECK(report.added == 3);
    CHECK(report.problems.empty());
    CHECK(text_of(anew) == before);
    const RebuildReport again = rebuild(anew, store.layout);
    CHECK(again.added + again.updated + again.gone == 0);
  }

  TEST_CASE("a name in other letters is a problem of its own - the others are put") {
    Registry registry = Registry::in_memory();
    std::vector<WholeModel> models;
    for (const char* uri : {"hf://org/model", "hf://Org/Model", "hf://org/other"})
      models.push_back({TestingStore::describe_files(uri, {{"a", "12345"}}), "/store/x", false});
    const PutReport report = put_models(registry, models, {});
    CHECK(report.added == 2);
    REQUIRE(report.problems.size() == 1);
    CHECK(contains(report.problems[0], "hf://Org/Model: is in the cache as hf://org/model"));
    CHECK(put_models(registry, {models[2]}, {models[0].metadata.name}).updated == 1);
    CHECK(registry.find(models[0].metadata.name)->state == "missing");
    CHECK(registry.find(models[2].metadata.name)->state == "ready");
  }

  TEST_CASE("what is not whole is no row and is named - rows without a folder are missing") {
    TestingStore store;
    store.add("hf://org/short", {{"a", "12345"}});
    store.add("hf://org/lost", {{"a", "12345"}});
    store.add("hf://org/gone", {{"a", "12345"}});
    store.add("hf://org/good", {{"a", "12345"}});
    store.folder.write("cache/models/hf--org--short/a", "1");
    fs::remove(store.layout.models() / "hf--org--lost/a");
    fs::remove_all(store.layout.models() / "hf--org--gone");
    fs::create_directories(store.layout.models() / "nothing");
    fs::create_directories(store.layout.models() / ".hf--org--x.new");
    store.folder.write("cache/models/hf--org--bad/.metadata.json", "{");
    fs::create_directories(store.layout.models() / "hf--org--other");
    fs::copy_file(store.layout.models() / "hf--org--good/.metadata.json",
                  store.layout.models() / "hf--org--other/.metadata.json");
    const RebuildReport report = rebuild(store.registry, store.layout);
    CHECK(report.gone == 3);
    CHECK(store.registry.find(parse_model_name("hf://org/good"))->state == "ready");
    CHECK(store.registry.find(parse_model_name("hf://org/short"))->state == "missing");
    REQUIRE(report.problems.size() == 5);
    CHECK(contains(report.problems[0], "hf--org--bad"));
    CHECK(contains(report.problems[1], "a is missing"));
    CHECK(contains(report.problems[2], "belongs to hf://org/good"));
    CHECK(contains(report.problems[3], "1 bytes instead of 5"));
    CHECK(contains(report.problems[4], "has no .metadata.json"));
    // It comes back when the folder does.
    store.folder.write("cache/models/hf--org--short/a", "12345");
    CHECK(rebuild(store.registry, store.layout).updated == 1);
    CHECK(store.registry.find(parse_model_name("hf://org/short"))->state == "ready");
  }

  TEST_CASE("an unmounted volume changes nothing") {
    TestingStore store;
    store.add("hf://org/model", {{"a", "12345"}});
    fs::rename(store.layout.root, store.folder.path / "away");
    fs::create_directories(store.layout.root / "models");
    CHECK(contains(refusal_of([&] { rebuild(store.registry, store.layout); }, ErrorKind::kNotFound),
                   "is its volume mounted"));
  }

  TEST_CASE("apps and usage stay") {
    TestingStore store;
    const ModelRecord model = store.add("hf://org/model", {{"a", "12345"}});
    store.registry.put_app("App", "/a");
    store.registry.use(model.name, "/a");
    store.registry.database().execute("UPDATE models SET checksum = 'x'");
    CHECK(rebuild(store.registry, store.layout).updated == 1);
    CHECK(store.registry.find(model.name)->uses.size() == 1);
  }
}

}  // namespace toolkit::model_store
