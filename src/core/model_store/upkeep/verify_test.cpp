#include "core/model_store/upkeep/verify.h"

#include <doctest/doctest.h>

#include "core/model_store/registry/testing_store.h"

namespace toolkit::model_store {

namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::refusal_of;

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("whole models are read in full and stay ready") {
    TestingStore store;
    store.add("hf://org/model", {{"a", "12345"}, {"sub/b", "678"}});
    uint64_t last = 0, total = 0;
    const VerifyReport report =
        verify_models(store.registry, store.layout, {}, VerifyDepth::kContents,
                      [&](uint64_t done, uint64_t of) { last = done, total = of; });
    CHECK(report.models == 1);
    CHECK(report.files == 2);
    CHECK(report.bytes == 8);
    CHECK(report.faults.empty());
    CHECK(last == 8);
    CHECK(total == 8);
  }

  TEST_CASE("every kind of fault is named, the model marked, healed when it is whole again") {
    TestingStore store;
    const ModelRecord model = store.add(
        "hf://org/model", {{"edited", "12345"}, {"gone", "1"}, {"link", "1"}, {"short", "12345"}});
    const fs::path folder = store.layout.model_folder(model.name);
    const auto write = [&](const char* name, const char* text) {
      store.folder.write("cache/models/hf--org--model/" + std::string(name), text);
    };
    write("edited", "1234X");
    fs::remove(folder / "gone");
    fs::remove(folder / "link");
    fs::create_symlink("nowhere", folder / "link");
    write("short", "123");
    // Sizes show three of the four.
    CHECK(verify_models(store.registry, store.layout, {}, VerifyDepth::kSizes, {}).faults.size() ==
          3);
    CHECK(store.registry.find(model.name)->state == "damaged");
    const auto report =
        verify_models(store.registry, store.layout, {model.name}, VerifyDepth::kContents, {});
    REQUIRE(report.faults.size() == 4);
    CHECK(report.faults[0].file == "edited");
    CHECK(contains(report.faults[0].found, "sha256 " + sha256_of("1234X")));
    CHECK(report.faults[1].found == "nothing");
    CHECK(report.faults[2].found == "a link that leads nowhere");
    CHECK(report.faults[3].expected == "5 bytes");
    CHECK(contains(report.faults[0].next_step, "`mlx-cache add hf://org/model`"));
    write("edited", "12345");
    write("gone", "1");
    fs::remove(folder / "link");
    write("link", "1");
    write("short", "12345");
    // Sizes alone do not prove that it is whole.
    CHECK(verify_models(store.registry, store.layout, {}, VerifyDepth::kSizes, {}).faults.empty());
    CHECK(store.registry.find(model.name)->state == "damaged");
    verify_models(store.registry, store.layout, {}, VerifyDepth::kContents, {});
    CHECK(store.registry.find(model.name)->state == "ready");
  }

  TEST_CASE("nothing left is missing - a name that is not there is an error") {
    TestingStore store;
    const ModelRecord model = store.add("hf://org/model", {{"a", "12345"}});
    fs::remove_all(store.layout.model_folder(model.name));
    CHECK(
        verify_models(store.registry, store.layout, {}, VerifyDepth::kContents, {}).faults.size() ==
        1);
    CHECK(store.registry.find(model.name)->state == "missing");
    CHECK(contains(refusal_of(
                       [&] {
                         verify_models(store.registry, store.layout,
                                       {parse_model_name("hf://org/other")}, VerifyDepth::kContents,
                                       {});
                       },
                       ErrorKind::kNotFound),
                   "hf://org/other is not in the cache"));
  }

  TEST_CASE("a volume that is away marks nothing") {
    TestingStore store;
    const ModelRecord model = store.add("hf://org/model", {{"a", "12345"}});
    fs::remove_all(store.layout.models());
    fs::remove(store.layout.root / ".mlx-cache");
    CHECK(!refusal_of(
               [&] { verify_models(store.registry, store.layout, {}, VerifyDepth::kSizes, {}); },
               ErrorKind::kNotFound)
               .empty());
    CHECK(store.registry.find(model.name)->state == "ready");
  }
}

}  // namespace toolkit::model_store
