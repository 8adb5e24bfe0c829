#include "core/model_store/registry/exchange.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/model_store/registry/testing_store.h"

namespace toolkit::model_store {

namespace {

using testing::contains;
using testing::refusal_of;

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("apps and usage move to another machine, models are named") {
    TestingStore here;
    const ModelName kept = here.add("hf://org/kept", {{"a", "1"}}).name;
    here.add("ollama://x:y", {{"model.gguf", "2"}});
    here.registry.put_app("App", "/app");
    here.registry.use(kept, "/app");
    here.registry.put_app("Ollama", "/ollama", AppKind::kProgram);
    const std::string text = export_registry(here.registry).dump();

    TestingStore there;
    there.add("hf://org/kept", {{"a", "1"}});
    CHECK(import_registry(there.registry, text, "f", /*dry_run=*/true).apps == 2);
    CHECK(there.registry.apps().empty());
    const ImportReport report = import_registry(there.registry, text, "f", /*dry_run=*/false);
    CHECK(report.models_known == 1);
    REQUIRE(report.to_add.size() == 1);
    CHECK(report.to_add[0].uri() == "ollama://x:y");
    REQUIRE(there.registry.apps().size() == 2);
    CHECK(there.registry.apps()[1].kind == AppKind::kProgram);
    CHECK(there.registry.find(kept)->uses.at(0).name == "App");
    CHECK(!there.registry.find(report.to_add[0]));
  }

  TEST_CASE("what is no export changes nothing and is named") {
    TestingStore store;
    store.add("hf://org/kept", {{"a", "1"}});
    store.registry.put_app("App", "/app");
    const nlohmann::json good = export_registry(store.registry);
    Registry empty = Registry::in_memory();
    const auto refusal = [&](const char* pointer, const nlohmann::json& wrong) {
      nlohmann::json value = good;
      value[nlohmann::json::json_pointer(pointer)] = wrong;
      return refusal_of([&] { import_registry(empty, value.dump(), "f", false); });
    };
    CHECK(contains(refusal("/mlx_cache_export", 2), "expected version 1"));
    CHECK(contains(refusal("/models", 1), "'models': expected a list"));
    CHECK(contains(refusal("/models/0/files/0/name", "../x"), "f: models"));
    CHECK(contains(refusal("/apps/0/path", "relative"), "absolute path"));
    CHECK(contains(refusal("/apps/0/kind", "x"), "found 'x'"));
    CHECK(contains(refusal("/apps/0/name", "\x1b[2J"), "control characters"));
    CHECK(contains(refusal("/usage", {{{"model", "hf://org/kept"}, {"app", "/b"}}}),
                   "the app /b is not in 'apps'"));
    CHECK(!refusal_of([&] { import_registry(empty, "{}", "f", false); }).empty());
    CHECK(empty.apps().empty());
  }
}

}  // namespace toolkit::model_store
