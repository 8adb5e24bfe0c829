#include "engine/module_pattern.h"

#include <doctest/doctest.h>

#include "core/base/error.h"
#include "models/testing/memory_files.h"

using namespace toolkit;
using namespace toolkit::engine;

namespace {

bool means(const std::string& pattern, int layer, const std::string& inside) {
  return ModulePattern(pattern).matches({"", layer, inside, nullptr});
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("names and groups and wildcards and layers") {
    CHECK(means("all", 0, "mlp.up_proj"));
    CHECK(means("attention", 0, "self_attn.q_proj"));
    CHECK_FALSE(means("attention", 0, "mlp.up_proj"));
    CHECK(means("mlp", 2, "mlp.up_proj"));
    CHECK(means("q_proj", 2, "self_attn.q_proj"));
    CHECK(means("self_attn.q_proj", 2, "self_attn.q_proj"));
    CHECK_FALSE(means("proj", 2, "self_attn.q_proj"));
    CHECK_FALSE(means("_proj", 2, "self_attn.q_proj"));
    CHECK(means("self_attn.*", 2, "self_attn.q_proj"));
    CHECK(means("?_proj", 2, "self_attn.q_proj"));
    CHECK_FALSE(means("?_proj", 2, "mlp.up_proj"));
    CHECK(means("*p_proj", 2, "mlp.up_proj"));
    CHECK(means("layers.0-2.mlp", 2, "mlp.up_proj"));
    CHECK_FALSE(means("layers.0-1.mlp", 2, "mlp.up_proj"));
    CHECK(means("layers.2", 2, "mlp.up_proj"));
    CHECK(means("layers.*.up_proj", 7, "mlp.up_proj"));
    CHECK(means("model.layers.2.mlp.up_proj", 2, "mlp.up_proj"));
    CHECK_FALSE(means("layers.2.mlp.up_proj", 3, "mlp.up_proj"));
  }

  TEST_CASE("patterns that cannot be read are refused with what would work") {
    for (const char* pattern : {"", "  ", "layers.x.mlp", "layers.5-2.mlp", "layers.-1.mlp"}) {
      CAPTURE(pattern);
      CHECK_THROWS_WITH_AS(ModulePattern{pattern}, doctest::Contains("such as"), Error);
    }
    for (const char* rule : {"q_proj", "q_proj=", "q_proj=0", "q_proj=x", "=4", "q_proj=-3"}) {
      CAPTURE(rule);
      CHECK_THROWS_WITH_AS(rank_rules({rule}), doctest::Contains("such as"), Error);
    }
    CHECK(rank_rules({"layers.0-5.mlp = 4"})[0].rank == 4);
  }

  TEST_CASE("a pattern without a layer is named with the layers there are") {
    const auto model = models::load_decoder(
        models::testing::random_files(models::testing::kTinyLlama), tensor::Compute::kFloat32);
    const auto modules = layer_modules(*model);
    CHECK(modules.size() == 21);
    CHECK(modules[8].layer == 1);
    check_patterns(module_patterns({"all", "layers.2.down_proj"}), modules);
    CHECK_THROWS_WITH_AS(check_patterns(module_patterns({"c_attn"}), modules),
                         doctest::Contains("mlp.down_proj"), Error);
    CHECK_THROWS_WITH_AS(check_patterns(module_patterns({"layers.3.mlp"}), modules),
                         doctest::Contains("layers 0 to 2"), Error);
  }
}
