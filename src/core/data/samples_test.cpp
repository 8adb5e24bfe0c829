#include "core/data/samples.h"

#include <doctest/doctest.h>

namespace toolkit::data {
namespace {

using Offsets = std::vector<std::pair<uint32_t, uint32_t>>;
using Ranges = std::vector<std::pair<size_t, size_t>>;
using Marks = std::vector<bool>;

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("supervision: tokens inside the ranges, two turns") {
    const Offsets offsets = {{0, 4}, {4, 9}, {9, 10}, {10, 14}, {14, 20}, {20, 22}, {22, 25}};
    CHECK(mark_supervised(offsets, Ranges{{4, 10}, {20, 25}}) ==
          Marks{false, true, true, false, false, true, true});
    CHECK(mark_supervised(offsets, Ranges{}) == Marks(7, false));
    CHECK(mark_supervised(offsets, Ranges{{0, 25}}) == Marks(7, true));
    CHECK(mark_supervised(offsets, Ranges{{4, 9}, {9, 10}, {14, 20}}) ==
          Marks{false, true, true, false, true, false, false});
  }

  TEST_CASE("supervision: a token over an edge counts, special tokens outside the text do not") {
    CHECK(mark_supervised(Offsets{{0, 3}, {3, 6}, {6, 9}}, Ranges{{5, 7}}) ==
          Marks{false, true, true});
    CHECK(mark_supervised(Offsets{{0, 0}, {0, 3}, {3, 6}, {0, 0}}, Ranges{{0, 6}}) ==
          Marks{false, true, true, false});
  }

  TEST_CASE("supervision: white space whose offsets were trimmed belongs where it stood") {
    const Offsets offsets = {{0, 4}, {5, 5}, {5, 8}, {9, 9}};
    CHECK(mark_supervised(offsets, Ranges{{4, 8}}) == Marks{false, true, true, false});
    CHECK(mark_supervised(offsets, Ranges{{0, 4}}) == Marks{true, false, false, false});
    CHECK(mark_supervised(offsets, Ranges{{5, 9}}) == Marks{false, false, true, true});
  }

  TEST_CASE("supervision: tokens that share the bytes of one character") {
    CHECK(mark_supervised(Offsets{{0, 4}, {0, 4}, {0, 4}, {4, 5}}, Ranges{{0, 4}}) ==
          Marks{true, true, true, false});
  }

  TEST_CASE("a sample counts its supervised tokens") {
    Sample sample;
    sample.supervised = {false, true, false, true};
    CHECK_EQ(sample.supervised_count(), 2);
  }
}

}  // namespace toolkit::data
