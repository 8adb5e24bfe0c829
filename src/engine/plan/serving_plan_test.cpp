#include "engine/plan/serving_plan.h"

#include <doctest/doctest.h>

#include "core/checkpoint/model_files.h"

namespace toolkit::engine {

namespace {

ServingPlan plan_of(const std::filesystem::path& path, tensor::Compute compute) {
  const auto files = checkpoint::open_model_files(path);
  models::Decoder blank(models::decoder_config_from_json(files->config_json(), path.string()));
  return plan_serving(blank, models::stored_forms(*files, blank), compute, 1000);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("packed weights are counted twice where the engine keeps them twice") {
    const std::filesystem::path models = std::filesystem::path(TOOLKIT_FIXTURES) / "models";
    const ServingPlan dense = plan_of(models / "llama", tensor::Compute::kFloat32);
    CHECK(dense.arranged == 0);
    CHECK(dense.cache == 1000);
    CHECK(dense.weights ==
          4 * (320 * 32 + 3 * (2 * 32 * 32 + 2 * 16 * 32 + 3 * 64 * 32 + 2 * 32) + 32));
    const ServingPlan packed = plan_of(models / "llama_mlx_4bit", tensor::Compute::kFloat32);
    CHECK(packed.weights < dense.weights / 2);
    if (tensor::use_cpu_kernels()) CHECK(packed.arranged > packed.weights * 8 / 10);
    CHECK(packed.total() == packed.least() + packed.arranged);
    CHECK(plan_of(models / "llama", tensor::Compute::kInt8).weights > dense.weights * 3 / 2);
  }
}

}  // namespace toolkit::engine
