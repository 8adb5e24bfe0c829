#include "core/base/natural_order.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace toolkit {

TEST_SUITE("unit") {
  TEST_CASE("names with numbers come in the order of the numbers") {
    const std::vector<std::string> ordered = {"",
                                              "1",
                                              "model",
                                              "model-02",
                                              "model-2",
                                              "model-2-it",
                                              "model-2b",
                                              "model-10",
                                              "model-99999999999999999999999",
                                              "model-100000000000000000000000",
                                              "modelx",
                                              "qwen2.5:3b",
                                              "qwen2.5:14b",
                                              "qwen3:8b"};
    std::vector<std::string> shuffled = ordered;
    std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(3));
    std::sort(shuffled.begin(), shuffled.end(),
              [](const std::string& a, const std::string& b) { return natural_less(a, b); });
    CHECK(shuffled == ordered);
    for (const std::string& name : ordered) CHECK_FALSE(natural_less(name, name));
  }
}

}  // namespace toolkit
