#include "projects/data/lengths.h"

#include <doctest/doctest.h>

#include <numeric>

namespace toolkit::data_check {

TEST_SUITE("unit") {
  TEST_CASE("summary: nearest-rank percentiles") {
    std::vector<int> lengths(200);
    std::iota(lengths.rbegin(), lengths.rend(), 1);
    const LengthSummary summary = summarize(lengths);
    CHECK_EQ(summary.count, 200);
    CHECK_EQ(summary.total, 20100);
    CHECK_EQ(summary.min, 1);
    CHECK_EQ(summary.p50, 100);
    CHECK_EQ(summary.p90, 180);
    CHECK_EQ(summary.p99, 198);
    CHECK_EQ(summary.max, 200);
    CHECK_EQ(summary.mean, doctest::Approx(100.5));
    const LengthSummary one = summarize(std::vector<int>{7});
    CHECK_EQ(one.p50, 7);
    CHECK_EQ(one.p99, 7);
    CHECK_EQ(summarize({}).count, 0);
  }

  TEST_CASE("histogram: round bins that hold every row once") {
    const std::vector<int> lengths = {3, 4, 9, 10, 11, 29};
    const auto bins = histogram(lengths, 6);
    REQUIRE_EQ(bins.size(), 6);
    CHECK_EQ(bins[0].from, 0);
    CHECK_EQ(bins[0].to, 4);
    CHECK_EQ(bins[0].count, 2);
    CHECK_EQ(bins[1].count, 1);
    CHECK_EQ(bins[2].count, 2);
    CHECK_EQ(bins[5].from, 25);
    CHECK_EQ(bins[5].count, 1);
    CHECK_EQ(histogram(lengths, 3).size(), 3);
    CHECK_EQ(histogram(std::vector<int>{5, 5}, 10).size(), 1);
    CHECK(histogram({}, 10).empty());
    CHECK_EQ(histogram(std::vector<int>{0, 2147483647}, 12).size(), 11);
  }
}

}  // namespace toolkit::data_check
