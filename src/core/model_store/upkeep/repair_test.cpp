#include "core/model_store/upkeep/repair.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "core/model_store/registry/testing_store.h"

namespace toolkit::model_store {

namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::refusal_of;

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

/// models/.<folder>.new with the files of a model, whole or not.
void make_folder(const TestingStore& store, const std::string& name, const std::string& uri,
                 bool whole) {
  const Metadata metadata = TestingStore::describe_files(uri, {{"a", "12345"}, {"b", "6"}});
  store.folder.write("cache/models/" + name + "/a", "12345");
  if (whole) store.folder.write("cache/models/" + name + "/b", "6");
  write_metadata(store.layout.models() / name, metadata);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a store that is right stays as it is") {
    TestingStore store;
    store.add("hf://org/model", {{"a", "12345"}});
    CHECK(repair_store(store.layout, false).done.empty());
  }

  TEST_CASE("a damaged or deleted registry is made again, the damaged one set aside") {
    for (const bool damaged : {true, false}) {
      TestingStore store;
      store.add("hf://org/model", {{"a", "12345"}});
      store.registry = Registry::in_memory();
      if (damaged)
        store.folder.write("cache/registry.db", std::string(5000, 'x'));
      else
        fs::remove(store.layout.registry());
      CHECK(contains(joined(repair_store(store.layout, /*dry_run=*/true).done), "1 models added"));
      const RepairReport report = repair_store(store.layout, false);
      CHECK(contains(joined(report.done), "1 models added"));
      CHECK(contains(joined(report.done), "set registry.db aside") == damaged);
      Registry registry = Registry::open(store.layout, store::OpenMode::kReadOnly);
      CHECK(registry.models().size() == 1);
      const bool aside =
          std::any_of(fs::directory_iterator(store.layout.root), fs::directory_iterator(),
                      [](const auto& entry) {
                        return entry.path().filename().string().starts_with("registry.db.damaged-");
                      });
      CHECK(aside == damaged);
    }
  }

  TEST_CASE("half-published folders are finished or taken back") {
    TestingStore store;
    make_folder(store, ".hf--org--whole.new", "hf://org/whole", true);
    make_folder(store, ".hf--org--half.new", "hf://org/half", false);
    make_folder(store, ".hf--org--back.old", "hf://org/back", true);
    make_folder(store, ".hf--org--back.new", "hf://org/back", false);
    store.add("hf://org/done", {{"a", "12345"}, {"b", "6"}});
    make_folder(store, ".hf--org--done.old", "hf://org/done", true);
    make_folder(store, ".hf--org--removed.gone", "hf://org/removed", true);
    make_folder(store, ".hf--org--busy.new", "hf://org/busy", true);
    const auto busy = lock_model(store.layout, parse_model_name("hf://org/busy"), "add");
    const auto names = [&] {
      std::vector<std::string> list;
      for (const auto& entry : fs::directory_iterator(store.layout.models()))
        list.push_back(entry.path().filename().string());
      std::sort(list.begin(), list.end());
      return list;
    };
    const auto before = names();
    const std::string said = joined(repair_store(store.layout, /*dry_run=*/true).done);
    CHECK(contains(said, "finished hf--org--whole"));
    CHECK(names() == before);
    const RepairReport report = repair_store(store.layout, false);
    CHECK(contains(joined(report.done), "put hf--org--back back"));
    CHECK(names() == std::vector<std::string>{".hf--org--busy.new", "hf--org--back",
                                              "hf--org--done", "hf--org--whole"});
    CHECK(store.registry.find(parse_model_name("hf://org/whole"))->state == "ready");
    CHECK(store.registry.find(parse_model_name("hf://org/back")));
  }

  TEST_CASE("temporary names go at once, downloads stay for their next call") {
    TestingStore store;
    store.add("hf://org/model", {{"a", "12345"}});
    store.folder.write("cache/models/hf--org--model/.mlx-cache-0123456789abcdef", "x");
    store.folder.write("cache/.config.yaml.part-999999-0", "x");
    const fs::path part =
        store.folder.write("cache/incoming/" + std::string(64, 'a') + ".part", "x");
    CHECK(repair_store(store.layout, false).done.size() == 2);
    CHECK(fs::exists(part));
    CHECK(!fs::exists(store.layout.models() / "hf--org--model/.mlx-cache-0123456789abcdef"));
    CHECK(repair_store(store.layout, false).done.empty());
  }

  TEST_CASE("models that are not whole are named for `add`") {
    TestingStore store;
    const ModelRecord model = store.add("hf://org/model", {{"a", "12345"}});
    fs::remove(store.layout.model_folder(model.name) / "a");
    const RepairReport report = repair_store(store.layout, false);
    REQUIRE(report.to_fetch.size() == 1);
    CHECK(report.to_fetch[0] == model.name);
    CHECK(contains(joined(report.problems), "a is missing"));
  }

  TEST_CASE("without the marker nothing is touched") {
    TestingStore store;
    make_folder(store, ".hf--org--half.new", "hf://org/half", false);
    fs::remove(store.layout.root / ".mlx-cache");
    CHECK(contains(refusal_of([&] { repair_store(store.layout, false); }, ErrorKind::kNotFound),
                   "is its volume mounted"));
    CHECK(fs::exists(store.layout.models() / ".hf--org--half.new"));
  }
}

}  // namespace toolkit::model_store
