#include "core/model_store/upkeep/use.h"

#include <doctest/doctest.h>

#include "core/files/identity.h"
#include "core/model_store/registry/testing_store.h"
#include "core/model_store/upkeep/clean.h"
#include "core/model_store/utc_time.h"

namespace toolkit::model_store {

namespace {

namespace fs = std::filesystem;
using testing::contains;

/// A model of 45 days ago that `add` showed to Ollama: a second name there for its weights.
struct Shown : TestingStore {
  Settings settings;
  UseEvidence evidence;
  ModelName name;
  fs::path blob = folder.path / "ollama/blobs/sha256-x", listing = folder.path / "ollama/shown";
  std::optional<int64_t> read_s = 0;

  explicit Shown(const std::string& uri = "hf://org/old") {
    name = add(uri, {{"a.gguf", std::string(50'000, 'w')}, {"config.json", "{}"}}).name;
    registry.database().execute("UPDATE models SET downloaded_at = '" +
                                utc_text(now_s() - 45 * kDaySeconds) + "'");
    registry.put_app("Ollama", folder.path / "ollama", AppKind::kProgram);
    registry.use(name, folder.path / "ollama");
    registry.database().execute("UPDATE model_usage SET last_used = '2020-01-01T00:00:00Z'");
    fs::create_directories(blob.parent_path());
    fs::create_hard_link(weights(), blob);
    evidence.others = {{.place = Place::kOllama, .root = folder.path / "ollama", .present = true}};
    list("ollama://shown:latest", listing);
    evidence.publications = [this](const ModelRecord&) {
      return std::vector<Publication>{{.place = Place::kOllama,
                                       .name = "shown:latest",
                                       .listing = listing,
                                       .files = {{blob, "a.gguf"}}}};
    };
    evidence.last_read_s = [this](const fs::path&) { return read_s; };
    evidence.open_files = [] { return Inodes(); };
  }

  fs::path weights() const { return layout.model_folder(name) / "a.gguf"; }
  void list(const std::string& uri, const fs::path& path) {
    StoredFile file{.name = "model.gguf", .path = blob, .identity = *files::identity_of(blob)};
    evidence.others[0].models.push_back(
        {.name = parse_model_name(uri), .place = Place::kOllama, .path = path, .files = {file}});
  }
  CleanPlan plan() { return plan_clean(registry, layout, settings, evidence, now_s()); }
  std::string kept() {
    const CleanPlan plan = this->plan();
    CHECK(plan.items.empty());
    return plan.kept.empty() ? "" : plan.kept[0];
  }
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("our own name elsewhere is no use: the model goes with it and its bytes come back") {
    Shown store;
    const CleanPlan plan = store.plan();
    REQUIRE(plan.items.size() == 1);
    CHECK(plan.items[0].reason == "no app uses it, never used, added 45 days ago");
    REQUIRE(plan.items[0].publications.size() == 1);
    CHECK(plan.items[0].publications[0].name == "shown:latest");
    CHECK(plan.freed_bytes >= 50'000);  // two names, both go
    std::string withdrawn;
    const uint64_t freed =
        apply_clean(store.registry, store.layout, plan, [&](const ModelRecord& model) {
          withdrawn = model.name.uri();
          CHECK(fs::exists(store.weights()));  // before ours goes
          fs::remove(store.blob);
        });
    CHECK(withdrawn == "hf://org/old");
    CHECK(freed == plan.freed_bytes);
    CHECK(!fs::exists(store.layout.model_folder(store.name)));
  }

  TEST_CASE("what another program lists by a name of its own stays") {
    Shown store;
    store.list("ollama://mine:latest", store.folder.path / "ollama/mine");
    CHECK(store.kept() == "hf://org/old: Ollama lists it as mine:latest");
    // A second name in a folder is nobody's use, and holds the bytes all the same.
    store.evidence.others[0].models.back().place = Place::kFolder;
    REQUIRE(store.plan().items.size() == 1);
  }

  TEST_CASE("a copy that we made on another disk and that Ollama has under another name stays") {
    Shown store;
    fs::remove(store.blob);
    store.folder.write("ollama/blobs/sha256-x", std::string(50'000, 'w'));
    store.evidence.others[0].models.clear();
    store.list("ollama://shown:latest", store.listing);
    REQUIRE(store.plan().items.size() == 1);
    CHECK(store.plan().freed_bytes >= 100'000);
    store.list("ollama://mine:latest", store.folder.path / "ollama/mine");
    CHECK(contains(store.kept(), "Ollama lists it as mine:latest"));
  }

  TEST_CASE("what was read within clean_after_days is in use, by age and by size") {
    Shown store;
    store.read_s = now_s() - 3 * kDaySeconds;
    store.settings.max_cache_size_gb = 1e-6;
    CHECK(store.kept() == "hf://org/old: last read 3 days ago");
    store.read_s = now_s() - 31 * kDaySeconds;
    REQUIRE(store.plan().items.size() == 1);
    CHECK(store.plan().items[0].reason == "no app uses it, last read 31 days ago");
    // Written and looked at by the download itself.
    store.read_s = now_s() - 45 * kDaySeconds + 5;
    CHECK(contains(store.plan().items.at(0).reason, "never used"));
  }

  TEST_CASE("a disk that does not record reads keeps what we showed, and says why") {
    Shown store;
    store.read_s = std::nullopt;
    CHECK(store.kept() == "hf://org/old: Ollama lists it, and this disk does not record reads");
    // Shown to nobody: as the registry knows it.
    store.evidence.publications = [](const ModelRecord&) { return std::vector<Publication>(); };
    store.evidence.others[0].models.clear();
    CHECK(store.plan().items.size() == 1);
  }

  TEST_CASE("a model that a process has open or in memory stays") {
    Shown store;
    const auto identity = *files::identity_of(store.weights());
    store.evidence.open_files = [&] { return Inodes{{identity.device, identity.inode}}; };
    CHECK(store.kept() == "hf://org/old: a process has it open");
    store.evidence.open_files = [] { return Inodes(); };
    store.evidence.loaded = [] { return std::set<std::string>{"beef"}; };
    CHECK(store.plan().items.size() == 1);
    store.evidence.others[0].models[0].revision = "beef";
    CHECK(store.kept() == "hf://org/old: Ollama has it in memory");
  }

  TEST_CASE("a model that is linked stays, whatever else is known of it") {
    Shown store;
    store.registry.put_app("Chat", "/apps/chat");
    store.registry.use(store.name, "/apps/chat");
    store.registry.database().execute("UPDATE model_usage SET last_used = '2020-01-01T00:00:00Z'");
    CHECK(store.kept() == "hf://org/old: linked by Chat");
  }

  TEST_CASE("publications that cannot be read keep the model") {
    Shown store;
    store.evidence.publications = [](const ModelRecord&) -> std::vector<Publication> {
      fail(ErrorKind::kIo, "no right to read");
    };
    CHECK(contains(store.kept(), "not known: no right to read"));
  }

  TEST_CASE("a store that cannot be written to keeps the model at the last moment") {
    Shown store;
    CHECK(apply_clean(store.registry, store.layout, store.plan(),
                      [](const ModelRecord&) { fail(ErrorKind::kIo, "read-only"); }) == 0);
    CHECK(store.registry.find(store.name));
    CHECK(fs::exists(store.weights()));
  }

  TEST_CASE("two models of one content: what the other one's listing holds is not counted") {
    Shown store;
    const ModelName other = store.add("hf://org/other", {{"config.json", "{}"}}).name;
    const fs::path twin = store.layout.model_folder(other) / "a.gguf";
    fs::create_hard_link(store.weights(), twin);
    const fs::path second = store.folder.path / "ollama/second";
    store.list("ollama://second:latest", second);
    const auto made = store.evidence.publications;
    store.evidence.publications = [&, made](const ModelRecord& model) {
      auto publications = made(model);
      if (model.name == other) publications[0].listing = second;
      return publications;
    };
    // The other one is old by its metadata; make it young, then old.
    store.registry.touch(other);
    CleanPlan plan = store.plan();
    REQUIRE(plan.items.size() == 1);
    CHECK(plan.items[0].label == "hf://org/old");
    CHECK(plan.freed_bytes < 50'000);
    CHECK(plan.items[0].published_content.empty());
    store.settings.clean_after_days = 0;
    plan = store.plan();
    REQUIRE(plan.items.size() == 2);
    CHECK(plan.freed_bytes >= 50'000);
  }

  TEST_CASE("a local model whose folder is gone is the only copy and stays") {
    const testing::TestingFolder source;
    source.write("m/a.gguf", std::string(50'000, 'w'));
    source.write("m/config.json", "{}");
    Shown store("file://" + (source.path / "m").string());
    CHECK(store.plan().items.size() == 1);
    fs::remove(source.path / "m/a.gguf");
    CHECK(contains(store.kept(), "the only copy"));
    fs::create_symlink(store.weights(), source.path / "m/a.gguf");
    CHECK(contains(store.kept(), "the only copy"));
  }
}

}  // namespace toolkit::model_store
