#include "engine/train/default_learning_rate.h"

#include <doctest/doctest.h>

using toolkit::engine::default_learning_rate;

TEST_SUITE("unit") {
  TEST_CASE("the learning rate is that of objective and method where none is given") {
    CHECK(default_learning_rate("sft", "lora") == 2e-4);
    CHECK(default_learning_rate("dpo", "dora") == 5e-5);
    CHECK(default_learning_rate("orpo", "qlora") == 8e-5);
    CHECK(default_learning_rate("orpo", "full") == doctest::Approx(8e-6));
  }
}
