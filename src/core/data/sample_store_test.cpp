#include "core/data/sample_store.h"

#include <doctest/doctest.h>

#include "core/base/testing.h"

namespace toolkit::data {
namespace {

std::vector<Sample> some_samples() {
  std::vector<Sample> samples;
  for (int i = 0; i < 50; ++i) {
    Sample sample{.ids = {}, .supervised = {}, .truncated = false, .line = 3 * i + 1};
    for (int j = 0; j <= i % 7; ++j) {
      sample.ids.push_back(100 * i + j);
      sample.supervised.push_back(j % 2 == 1);
    }
    samples.push_back(sample);
  }
  return samples;
}

void check_equal(const SampleSet& found, const SampleSet& expected) {
  REQUIRE_EQ(found.size(), expected.size());
  CHECK_EQ(found.supervised_tokens(), expected.supervised_tokens());
  for (size_t i = 0; i < found.size(); ++i) {
    REQUIRE_EQ(found[i].size(), expected[i].size());
    CHECK_EQ(found[i].line(), expected[i].line());
    CHECK_EQ(found[i].supervised_count(), expected[i].supervised_count());
    for (int j = 0; j < found[i].size(); ++j) {
      CHECK_EQ(found[i].id(j), expected[i].id(j));
      CHECK_EQ(found[i].supervised(j), expected[i].supervised(j));
    }
  }
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("sample store: the same samples from memory and from a file without a name") {
    const testing::TestingFolder folder;
    const SampleSet expected(some_samples());
    for (const size_t memory_bytes : {size_t{1} << 20, size_t{64}, size_t{0}}) {
      CAPTURE(memory_bytes);
      SampleStore store(folder.path, memory_bytes);
      for (const Sample& sample : some_samples()) store.add(sample);
      CHECK_EQ(folder.entries(), 0);
      const SampleSet found = store.finish();
      CHECK(store.empty());
      check_equal(found, expected);
    }
  }

  TEST_CASE("sample store: a folder is needed only for what does not fit") {
    SampleStore held("/no/such/folder"), spilled("/no/such/folder", 0);
    held.add(some_samples()[1]);
    CHECK_EQ(held.finish().size(), 1);
    CHECK_THROWS_WITH_AS(spilled.add(some_samples()[1]), doctest::Contains("/no/such/folder"),
                         Error);
    CHECK(SampleStore(".").finish().empty());
  }

  TEST_CASE("sample set: cut to a length without what nothing is learned from then") {
    const SampleSet cut = SampleSet(some_samples()).cut(2);
    REQUIRE_FALSE(cut.empty());
    for (const SampleView& sample : cut) {
      CHECK_EQ(sample.size(), 2);
      CHECK_EQ(sample.supervised_count(), 1);
    }
    CHECK_EQ(cut[0].line(), 4);
    CHECK_EQ(cut[0].id(1), 101);
    CHECK(SampleSet(some_samples()).cut(1).empty());
  }
}

}  // namespace toolkit::data
