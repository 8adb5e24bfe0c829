#include "core/model_store/registry/registry.h"

#include <doctest/doctest.h>

#include "core/base/testing.h"

namespace toolkit::model_store {

namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::refusal_of;
using testing::TestingFolder;

Metadata metadata_of(const std::string& uri) {
  Metadata metadata;
  metadata.name = parse_model_name(uri);
  metadata.revision = std::string(40, 'c');
  metadata.downloaded_at = "2026-11-21T15:44:28Z";
  FileRecord file;
  file.name = "model.gguf";
  file.size_bytes = 5;
  file.sha256 = std::string(64, 'a');
  file.digest = *hash::parse_digest(file.sha256);
  metadata.files.push_back(file);
  return metadata;
}

const ModelName kModel{Source::kHuggingFace, "org/model"};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the tables are named as the mission names them") {
    Registry registry = Registry::in_memory();
    registry.database().execute(
        "INSERT INTO models (source, identifier, local_path, size_bytes, downloaded_at, checksum, "
        "is_symlink) VALUES ('ollama', 'deepseek-r1:14b', '/x', 1, '2026-01-01T00:00:00Z', 'c', 1);"
        "INSERT INTO apps (name, path, registered_at) VALUES ('App', '/a', '2026-01-01T00:00:00Z');"
        "INSERT INTO model_usage (model_id, app_id, last_used) VALUES (1, 1, "
        "'2026-02-01T00:00:00Z')");
    const auto models = registry.models();
    REQUIRE(models.size() == 1);
    CHECK(models[0].is_symlink);
    CHECK(models[0].state == "ready");
    CHECK(models[0].last_used == "2026-02-01T00:00:00Z");
    CHECK(registry.apps().at(0).kind == AppKind::kLinked);
    CHECK(contains(refusal_of(
                       [&] {
                         registry.database().execute(
                             "INSERT INTO models (source, identifier, local_path) VALUES "
                             "('ollama', 'Deepseek-R1:14b', '/y')");
                       },
                       ErrorKind::kIo),
                   "UNIQUE"));
  }

  TEST_CASE("a model is put, found in any letters, replaced with its usage, removed") {
    Registry registry = Registry::in_memory();
    const ModelRecord put = registry.put(metadata_of("hf://org/model"), "/c/m", false);
    CHECK(put.size_bytes == 5);
    CHECK(put.checksum == metadata_of("hf://org/model").checksum());
    CHECK(registry.find({Source::kHuggingFace, "ORG/Model"})->id == put.id);
    CHECK(!registry.find({Source::kOllama, "org/model"}));
    registry.put_app("App", "/a");
    registry.use(kModel, "/a");
    Metadata newer = metadata_of("hf://org/model");
    newer.files[0].size_bytes = 9;
    newer.revision = "other";
    const ModelRecord again = registry.put(newer, "/c/m", false);
    CHECK(again.id == put.id);
    CHECK(again.size_bytes == 9);
    CHECK(again.uses.size() == 1);
    CHECK(registry.files_of(kModel).at(0).size_bytes == 9);
    CHECK(contains(refusal_of([&] { registry.put(metadata_of("hf://org/Model"), "/x", false); }),
                   "is in the cache as hf://org/model"));
    registry.remove(kModel);
    CHECK(!registry.find(kModel));
    CHECK(registry.files_of(kModel).empty());
    CHECK(registry.apps().at(0).models == 0);
  }

  TEST_CASE("content is found in models that are kept and whole") {
    Registry registry = Registry::in_memory();
    registry.put(metadata_of("hf://org/model"), "/c/m", false);
    registry.put(metadata_of("ollama://linked"), "/c/o", true);
    const auto paths = registry.files_with(std::string(64, 'a'));
    REQUIRE(paths.size() == 1);
    CHECK(paths[0] == "/c/m/model.gguf");
    registry.set_state(kModel, "damaged");
    CHECK(registry.files_with(std::string(64, 'a')).empty());
    CHECK_THROWS_AS(registry.set_state(kModel, "odd"), Error);
  }

  TEST_CASE("apps: linked stays linked, unlinking takes the usage") {
    Registry registry = Registry::in_memory();
    registry.put(metadata_of("hf://org/model"), "/c/m", false);
    registry.put(metadata_of("hf://org/other"), "/c/o", false);
    registry.put_app("tool", "/bin/tool", AppKind::kSeen);
    CHECK(registry.put_app("Tool", "/bin/tool/").kind == AppKind::kLinked);
    CHECK(registry.put_app("Tool", "/bin/../bin/tool", AppKind::kSeen).kind == AppKind::kLinked);
    registry.use(kModel, "/bin/tool");
    registry.use(kModel, "/bin/tool");
    registry.use({Source::kHuggingFace, "org/other"}, "/bin/tool");
    REQUIRE(registry.apps().size() == 1);
    CHECK(registry.apps()[0].models == 2);
    CHECK(registry.models()[0].uses.at(0).name == "Tool");
    registry.release(kModel, "/bin/tool");
    CHECK(registry.find(kModel)->uses.empty());
    CHECK(registry.remove_app("/bin/tool"));
    CHECK(!registry.remove_app("/bin/tool"));
    CHECK(registry.models()[1].uses.empty());
    CHECK(!refusal_of([&] { registry.use(kModel, "/absent"); }, ErrorKind::kNotFound).empty());
    CHECK(!refusal_of([&] { registry.put_app("x", "relative"); }).empty());
    CHECK(!refusal_of([&] { registry.put_app("a\x1b[0m", "/x"); }).empty());
  }

  TEST_CASE("clones that are gone save nothing") {
    const TestingFolder folder;
    Registry registry = Registry::in_memory();
    const fs::path clone = folder.write("a", "x");
    registry.note_saving(clone, "Ollama", "clone", 100, "j");
    registry.note_saving(clone, "Ollama", "clone", 200, "j");
    registry.note_saving(folder.path / "gone", "Ollama", "clone", 50, "j");
    registry.note_saving(folder.write("b", "x"), "Ollama", "hard link", 7, "k");
    CHECK(registry.cloned_bytes() == 200);
    registry.forget_savings("j");
    CHECK(registry.cloned_bytes() == 0);
  }

  TEST_CASE("the registry of a newer program is refused, of an older one brought up to date") {
    const TestingFolder folder;
    const Layout layout{folder.path / "c"};
    create_store(layout);
    CHECK(!refusal_of([&] { Registry::open(layout, store::OpenMode::kReadOnly); },
                      ErrorKind::kNotFound)
               .empty());
    store::Database::open(layout.registry(), store::OpenMode::kReadWrite)
        .execute("PRAGMA user_version = 0");
    CHECK(Registry::open(layout, store::OpenMode::kReadOnly).models().empty());
    Registry::open(layout, store::OpenMode::kReadWrite).put(metadata_of("hf://o/m"), "/x", false);
    CHECK(Registry::open(layout, store::OpenMode::kReadOnly).models().size() == 1);
    store::Database::open(layout.registry(), store::OpenMode::kReadWrite)
        .execute("PRAGMA user_version = 99");
    for (const auto mode : {store::OpenMode::kReadOnly, store::OpenMode::kReadWrite})
      CHECK(contains(refusal_of([&] { Registry::open(layout, mode); }, ErrorKind::kUnsupported),
                     "newer program"));
  }

  TEST_CASE("a hundred models are one query") {
    Registry registry = Registry::in_memory();
    registry.put_app("App", "/a");
    for (int at = 0; at < 100; ++at) {
      const Metadata metadata = metadata_of("hf://org/model-" + std::to_string(at));
      registry.put(metadata, "/c", false);
      registry.use(metadata.name, "/a");
    }
    CHECK(registry.models().size() == 100);
    CHECK(registry.models()[42].uses.size() == 1);
  }
}

}  // namespace toolkit::model_store
