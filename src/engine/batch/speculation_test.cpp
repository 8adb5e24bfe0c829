#include "engine/batch/speculation.h"

#include <doctest/doctest.h>

namespace toolkit::engine {

TEST_SUITE("unit") {
  TEST_CASE(
      "a text goes on as it did before, at the latest place, by three tokens rather than two") {
    using Tokens = std::vector<int32_t>;
    const auto guess = [](const Tokens& tokens, int count) {
      return look_up_continuation(tokens, count);
    };
    CHECK(guess({1, 2, 3, 4, 5, 1, 2, 3}, 2) == Tokens{4, 5});
    CHECK(guess({1, 2, 3, 4, 1, 2, 3, 6, 1, 2, 3}, 1) == Tokens{6});
    CHECK(guess({9, 2, 3, 4, 8, 2, 3, 5, 9, 2, 3}, 1) == Tokens{4});
    CHECK(guess({2, 3, 4, 8, 2, 3}, 9) == Tokens{4, 8, 2, 3});
    CHECK(guess({7, 7, 7}, 5) == Tokens{7});
    CHECK(guess({1, 2, 3, 4}, 3) == Tokens{});
    CHECK(guess({1, 2, 1, 2}, 0) == Tokens{});
    CHECK(guess({}, 3) == Tokens{});
  }
}

}  // namespace toolkit::engine
