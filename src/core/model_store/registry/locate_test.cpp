#include "core/model_store/registry/locate.h"

#include <doctest/doctest.h>

#include "core/model_store/registry/testing_store.h"

namespace toolkit::model_store {

namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::refusal_of;

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a folder, or its .gguf when that is the only weight") {
    TestingStore store;
    const auto located = [&](const std::string& uri) {
      return locate_model(store.layout, parse_model_name(uri))
          .lexically_relative(store.layout.models())
          .string();
    };
    store.add("hf://org/mlx", {{"config.json", "{}"}, {"model.safetensors", "w"}});
    CHECK(located("hf://org/mlx") == "hf--org--mlx");
    store.add("ollama://x:y", {{"model.gguf", "w"}, {"template", "t"}});
    CHECK(located("ollama://x:y") == "ollama--x--y/model.gguf");
    store.add("hf://org/two", {{"a-Q4.gguf", "w"}, {"a-Q8.gguf", "v"}});
    CHECK(located("hf://org/two") == "hf--org--two");
    store.add("hf://org/eye", {{"sub/a.GGUF", "w"}, {"sub/mmproj-a.gguf", "v"}});
    CHECK(located("hf://org/eye") == "hf--org--eye/sub/a.GGUF");
    store.add("hf://org/split", {{"a-00001-of-00002.gguf", "w"}, {"a-00002-of-00002.gguf", "v"}});
    CHECK(located("hf://org/split") == "hf--org--split/a-00001-of-00002.gguf");
  }

  TEST_CASE("the use is noted, of a program as one that was seen") {
    TestingStore store;
    const ModelName name = store.add("hf://org/mlx", {{"model.safetensors", "w"}}).name;
    locate_model(store.layout, name);
    CHECK(!store.registry.find(name)->last_used.empty());
    CHECK(store.registry.find(name)->uses.empty());
    locate_model(store.layout, name, "/bin/mlx-toolkit");
    REQUIRE(store.registry.find(name)->uses.size() == 1);
    CHECK(store.registry.find(name)->uses[0].name == "mlx-toolkit");
    CHECK(store.registry.find(name)->uses[0].kind == AppKind::kSeen);
  }

  TEST_CASE("what is not in the cache, not there or damaged says what to do") {
    TestingStore store;
    const auto refusal = [&](const std::string& uri, ErrorKind kind) {
      return refusal_of([&] { locate_model(store.layout, parse_model_name(uri)); }, kind);
    };
    store.add("hf://org/model", {{"a.gguf", "w"}});
    CHECK(contains(refusal("hf://org/modle", ErrorKind::kNotFound),
                   "`mlx-cache add hf://org/modle` brings it. Did you mean 'hf://org/model'?"));
    store.registry.set_state(parse_model_name("hf://org/model"), "damaged");
    CHECK(contains(refusal("hf://org/model", ErrorKind::kIo), "is damaged"));
    fs::remove_all(store.layout.models() / "hf--org--model");
    CHECK(contains(refusal("hf://org/model", ErrorKind::kNotFound), "is not there"));
    CHECK(contains(
        refusal_of(
            [&] { locate_model({store.folder.path / "none"}, parse_model_name("hf://a/b")); },
            ErrorKind::kNotFound),
        "`mlx-cache add hf://a/b`"));
  }
}

}  // namespace toolkit::model_store
