#include "engine/embed/packing.h"

#include <doctest/doctest.h>

namespace toolkit::engine {

TEST_SUITE("unit") {
  TEST_CASE("texts fill rows without padding and keep their own positions") {
    const std::vector<std::vector<int32_t>> texts = {{1, 2}, {3, 4, 5}, {6}, {7, 8, 9, 10, 11, 12}};
    const auto rows = pack_texts(texts, 5);
    REQUIRE(rows.size() == 3);
    CHECK(rows[0].texts == std::vector<size_t>{3});  // longer than a row: alone
    CHECK(rows[0].ids == texts[3]);
    CHECK(rows[1].texts == std::vector<size_t>{1, 0});
    CHECK(rows[1].ids == std::vector<int32_t>{3, 4, 5, 1, 2});
    CHECK(rows[1].segments == std::vector<int32_t>{0, 0, 0, 1, 1});
    CHECK(rows[1].positions == std::vector<int32_t>{0, 1, 2, 0, 1});
    CHECK(rows[1].begins == std::vector<size_t>{0, 3, 5});
    CHECK(rows[2].texts == std::vector<size_t>{2});
    CHECK(pack_texts({}, 5).empty());
  }
}

}  // namespace toolkit::engine
