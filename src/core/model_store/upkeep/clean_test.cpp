#include "core/model_store/upkeep/clean.h"

#include <doctest/doctest.h>

#include <chrono>

#include "core/files/identity.h"
#include "core/model_store/registry/testing_store.h"
#include "core/model_store/utc_time.h"

namespace toolkit::model_store {

namespace {

namespace fs = std::filesystem;
using testing::contains;

struct Fixture : TestingStore {
  Settings settings;
  UseEvidence evidence;
  std::vector<Inventory>& others = evidence.others;

  // A disk that records reads, of which there were none.
  Fixture() {
    evidence.last_read_s = [](const fs::path&) { return std::optional<int64_t>(0); };
    evidence.open_files = [] { return Inodes(); };
  }

  ModelName old_model(const std::string& uri, int64_t days, size_t bytes = 5000) {
    const ModelName name = add(uri, {{"a.gguf", std::string(bytes, 'w')}}).name;
    registry.database()
        .prepare("UPDATE models SET downloaded_at = ?, last_used = NULL WHERE identifier = ?")
        .bind(1, utc_text(now_s() - days * kDaySeconds))
        .bind(2, name.identifier)
        .run();
    return name;
  }

  CleanPlan plan() { return plan_clean(registry, layout, settings, evidence, now_s()); }
  uint64_t apply(const CleanPlan& plan) {
    return apply_clean(registry, layout, plan, [](const ModelRecord&) {});
  }

  std::string items() {
    std::string text;
    for (const CleanItem& item : plan().items) text += item.label + "; ";
    return text;
  }

  void age(const fs::path& path) const {
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(48));
  }
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("what nobody used for long is offered and goes - what is young or used stays") {
    Fixture store;
    const ModelName old = store.old_model("hf://org/old", 45);
    store.old_model("hf://org/young", 5);
    const ModelName used = store.old_model("hf://org/used", 45);
    store.registry.touch(used);
    const CleanPlan plan = store.plan();
    REQUIRE(plan.items.size() == 1);
    CHECK(plan.items[0].label == "hf://org/old");
    CHECK(plan.items[0].reason == "no app uses it, never used, added 45 days ago");
    CHECK(plan.freed_bytes == plan.items[0].freed_bytes);
    CHECK(plan.freed_bytes >= 5000);
    CHECK(store.apply(plan) == plan.freed_bytes);
    CHECK(!store.registry.find(old));
    CHECK(!fs::exists(store.layout.model_folder(old)));
    CHECK(store.items().empty());
  }

  TEST_CASE("nothing that is linked is ever in it, and the plan says by whom") {
    Fixture store;
    const ModelName name = store.old_model("hf://org/old", 400, 2'000'000);
    store.registry.put_app("Chat", "/apps/chat");
    store.registry.use(name, "/apps/chat");
    store.registry.database().execute("UPDATE model_usage SET last_used = '2020-01-01T00:00:00Z'");
    store.settings.max_cache_size_gb = 0.001;
    const CleanPlan plan = store.plan();
    CHECK(plan.items.empty());
    REQUIRE(plan.kept.size() == 1);
    CHECK(plan.kept[0] == "hf://org/old: linked by Chat");
  }

  TEST_CASE("an app that links a model after the preview keeps it") {
    Fixture store;
    const ModelName name = store.old_model("hf://org/old", 45);
    const CleanPlan plan = store.plan();
    store.registry.put_app("Chat", "/apps/chat");
    store.registry.use(name, "/apps/chat");
    CHECK(store.apply(plan) == 0);
    CHECK(store.registry.find(name));
  }

  TEST_CASE("above the size limit the longest unused go, until it fits") {
    Fixture store;
    store.old_model("hf://org/a", 20, 600'000);
    store.old_model("hf://org/b", 10, 600'000);
    store.old_model("hf://org/c", 1, 600'000);
    store.settings.max_cache_size_gb = 0.0013;
    CHECK(store.items() == "hf://org/a; ");
    CHECK(contains(store.plan().items[0].reason, "larger than 1.30 MB"));
    store.settings.max_cache_size_gb = 0.0007;
    CHECK(store.items() == "hf://org/a; hf://org/b; ");
    const CleanPlan plan = store.plan();
    CHECK(plan.size_after_bytes <= 700'000);
    store.settings.max_cache_size_gb = 0;  // no limit
    CHECK(store.items().empty());
  }

  TEST_CASE("the size limit takes no model that came today, nor one that somebody used") {
    Fixture store;
    const ModelName used = store.old_model("hf://org/used", 20, 600'000);
    store.registry.touch(used);
    store.old_model("hf://org/today", 0, 600'000);
    store.settings.max_cache_size_gb = 0.0001;
    const CleanPlan plan = store.plan();
    CHECK(plan.items.empty());
    CHECK(plan.size_after_bytes >= 1'200'000);
    CHECK(plan.kept == std::vector<std::string>{"hf://org/used: last used today"});
    store.settings.clean_after_days = 0;
    CHECK(store.plan().items.size() == 2);
  }

  TEST_CASE("making room takes no more models than the limit asks for, and nothing else") {
    Fixture store;
    store.old_model("hf://org/a", 90, 600'000);
    store.old_model("hf://org/b", 80, 600'000);
    store.folder.write("cache/models/.hf--org--y.gone/a", "x");
    store.settings.max_cache_size_gb = 0.0007;
    const CleanPlan plan = plan_clean(store.registry, store.layout, store.settings, store.evidence,
                                      now_s(), CleanRules::kSize);
    REQUIRE(plan.items.size() == 1);
    CHECK(plan.items[0].label == "hf://org/a");
  }

  TEST_CASE("a model shown to a program stays as long as that lists it") {
    Fixture store;
    const ModelName name = store.old_model("hf://org/old", 45);
    store.registry.put_app("Hugging Face", "/hub", AppKind::kProgram);
    store.registry.use(name, "/hub");
    store.registry.database().execute("UPDATE model_usage SET last_used = '2020-01-01T00:00:00Z'");
    CHECK(store.items().empty());  // its store was not looked at
    Inventory hub{.place = Place::kHub, .root = "/hub", .present = true};
    store.others = {hub};
    CHECK(store.items() == "hf://org/old; ");
    store.others[0].present = false;
    CHECK(contains(store.plan().kept.at(0), "is not there now"));
    store.others[0].present = true;
    store.others[0].models.push_back({.name = name, .place = Place::kHub});
    CHECK(contains(store.plan().kept.at(0), "Hugging Face lists it"));
    // Under another name, but the same file.
    StoredFile file;
    file.identity = *files::identity_of(store.layout.model_folder(name) / "a.gguf");
    store.others[0].models[0].name = parse_model_name("hf://org/renamed");
    CHECK(store.items() == "hf://org/old; ");
    store.others[0].models[0].files.push_back(file);
    CHECK(store.items().empty());
  }

  TEST_CASE("a store that could not be read in full keeps what it could name") {
    Fixture store;
    store.old_model("hf://org/old", 45);
    store.others = {
        {.place = Place::kOllama, .root = "/o", .problems = {"x: torn"}, .present = true}};
    CHECK(store.items().empty());
    CHECK(contains(store.plan().kept.at(0), "problems in Ollama: x: torn"));
  }

  TEST_CASE("rests of downloads and temporaries go when they are old and nobody holds them") {
    Fixture store;
    const std::string hex(64, 'a'), other(64, 'b');
    for (const std::string& name :
         {"incoming/" + hex + ".part", "incoming/" + hex + ".part.state",
          "incoming/" + other + ".part", std::string("models/.hf--org--x.new/a"),
          std::string("models/.hf--org--y.gone/a"), std::string("models/.hf--o--z.metadata.json")})
      store.folder.write("cache/" + name, "x");
    store.folder.write("cache/incoming/young.part", "x");
    store.age(store.layout.incoming() / (hex + ".part"));
    store.age(store.layout.incoming() / (hex + ".part.state"));
    store.age(store.layout.incoming() / (other + ".part"));
    store.age(store.layout.models() / ".hf--org--x.new");
    const auto busy = lock_blob(store.layout, other, "add");
    CHECK(store.items() == hex + ".part; " + hex +
                               ".part.state; .hf--o--z.metadata.json; "
                               ".hf--org--x.new; .hf--org--y.gone; ");
    store.apply(store.plan());
    CHECK(store.items().empty());
    CHECK(fs::exists(store.layout.incoming() / (other + ".part")));
    CHECK(fs::exists(store.layout.incoming() / "young.part"));
    CHECK(fs::is_empty(store.layout.models()));
  }

  TEST_CASE("links that lead nowhere go, unless the whole place they led to is away") {
    Fixture store;
    const auto found = [&](const std::string& uri, const fs::path& target) {
      store.folder.write((target / "a.gguf").lexically_relative(store.folder.path).string(), "x");
      const Metadata metadata = TestingStore::describe_files(uri, {{"a.gguf", "x"}});
      const fs::path link = store.layout.model_folder(metadata.name);
      fs::create_directory_symlink(target, link);
      write_metadata(link, metadata);
      store.registry.put(metadata, link, true);
    };
    const fs::path hub = store.folder.path / "hub", disk = store.folder.path / "disk";
    found("hf://org/removed", hub / "models--org--removed/snapshots/c");
    found("hf://org/away", disk / "hub/models--org--away/snapshots/c");
    CHECK(store.items().empty());
    fs::remove_all(hub / "models--org--removed");
    fs::remove_all(disk);
    CHECK(store.items() == "hf://org/removed; ");
    store.apply(store.plan());
    CHECK(!store.registry.find(parse_model_name("hf://org/removed")));
    CHECK(store.registry.find(parse_model_name("hf://org/away")));
    CHECK(!fs::exists(store.layout.models() / ".hf--org--removed.metadata.json"));
  }

  TEST_CASE("an unmounted volume is not an empty cache") {
    Fixture store;
    store.old_model("hf://org/old", 45);
    fs::remove(store.layout.root / ".mlx-cache");
    CHECK(store.items().empty());
  }
}

}  // namespace toolkit::model_store
