#include "engine/measure/choose_compute.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "core/base/testing.h"

namespace toolkit::engine {

TEST_SUITE("unit") {
  TEST_CASE("auto takes int8 only when it is clearly faster, and f32 when nothing is gained") {
    using enum tensor::Compute;
    CHECK(fastest_compute({.linear = {{"f32", 100}, {"bf16", 90}, {"int8", 119}}}) == kFloat32);
    CHECK(fastest_compute({.linear = {{"f32", 100}, {"bf16", 110}, {"int8", 119}}}) == kBFloat16);
    CHECK(fastest_compute({.linear = {{"f32", 100}, {"bf16", 90}, {"int8", 121}}}) == kInt8);
    CHECK(fastest_compute({}) == kFloat32);
  }

  TEST_CASE("auto decides by the rates that doctor shows, from one file") {
    const testing::TestingFolder home;
    ::setenv("MLX_INFRASTRUCTURE_HOME", home.path.c_str(), 1);
    const tensor::Compute chosen = choose_compute("auto");
    CHECK(home.entries() == 1);  // machine.json
    CHECK(chosen == fastest_compute(machine_rates()));
    ::unsetenv("MLX_INFRASTRUCTURE_HOME");
    CHECK(choose_compute("bf16") == tensor::Compute::kBFloat16);
    CHECK_THROWS_AS(choose_compute("fp4"), Error);
  }
}

}  // namespace toolkit::engine
