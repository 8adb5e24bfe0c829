#include "core/data/sample_set.h"

#include <doctest/doctest.h>

#include "core/base/error.h"

namespace toolkit::data {
namespace {

Sample sample_of(std::vector<int32_t> ids, std::vector<bool> supervised, int line) {
  return {.ids = std::move(ids), .supervised = std::move(supervised), .line = line};
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("sample set: tokens and marks come back as they were") {
    const SampleSet set = std::vector<Sample>{
        sample_of({1, 0x7FFFFFFF, 3}, {false, true, false}, 7), sample_of({9}, {true}, 8)};
    REQUIRE_EQ(set.size(), 2);
    CHECK_EQ(set[0].size(), 3);
    CHECK_EQ(set[0].id(1), 0x7FFFFFFF);
    CHECK(set[0].supervised(1));
    CHECK_FALSE(set[0].supervised(2));
    CHECK_EQ(set[0].supervised_count(), 1);
    CHECK_EQ(set[1].line(), 8);
    CHECK_EQ(set.tokens(), 4);
    CHECK_EQ(set.supervised_tokens(), 2);
  }

  TEST_CASE("sample set: chosen samples of other sets, some twice, outlive them") {
    SampleSet mixed;
    {
      const SampleSet a = std::vector<Sample>{sample_of({1, 2}, {false, true}, 1),
                                              sample_of({3, 4, 5}, {false, true, true}, 2)};
      const SampleSet b = std::vector<Sample>{sample_of({6}, {false}, 1)};
      mixed.append(a, std::vector<int>{1, 1});
      mixed.append(b, std::vector<int>{0});
    }
    REQUIRE_EQ(mixed.size(), 3);
    CHECK_EQ(mixed[1].id(2), 5);
    CHECK_EQ(mixed[2].id(0), 6);
    CHECK_EQ(mixed.tokens(), 7);
  }

  TEST_CASE("sample set: marks that do not match the ids are our bug") {
    CHECK_THROWS_AS(SampleSet(std::vector<Sample>{sample_of({1, 2}, {false}, 1)}), Error);
    CHECK_THROWS_AS(SampleSet(std::vector<Sample>{Sample()}), Error);
  }
}

}  // namespace toolkit::data
