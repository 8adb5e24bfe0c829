#include "engine/train/batches.h"

#include <doctest/doctest.h>

#include <map>

#include "core/base/random.h"

using namespace toolkit;
using namespace toolkit::engine;

namespace {

// Samples whose tokens tell which sample they belong to.
std::vector<data::Sample> numbered_samples(int count) {
  Random random(5);
  std::vector<data::Sample> samples;
  for (int i = 0; i < count; ++i) {
    const size_t length = 3 + random.below(30);
    data::Sample sample{.ids = std::vector<int32_t>(length, i),
                        .supervised = std::vector<bool>(length, true)};
    sample.supervised[0] = false;
    samples.push_back(sample);
  }
  return samples;
}

std::map<int, int> token_counts(const Batches& batches, int64_t epoch) {
  std::map<int, int> counts;
  for (int i = 0; i < batches.per_epoch(); ++i) {
    const data::PackedBatch batch = batches.at(epoch * batches.per_epoch() + i);
    for (size_t at = 0; at < batch.ids.size(); ++at)
      if (batch.segments[at] >= 0) ++counts[batch.ids[at]];
  }
  return counts;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("every epoch holds every token of every sample once") {
    const auto samples = numbered_samples(100);
    const Batches batches(samples, {.rows = 3, .length = 40}, true, 1);
    for (int64_t epoch : {0, 1, 2}) {
      const auto counts = token_counts(batches, epoch);
      REQUIRE(counts.size() == samples.size());
      for (size_t i = 0; i < samples.size(); ++i)
        CHECK(counts.at(static_cast<int>(i)) == static_cast<int>(samples[i].ids.size()));
    }
  }

  TEST_CASE("every batch has the one shape, the last of an epoch too") {
    const Batches batches(numbered_samples(50), {.rows = 4, .length = 33}, true, 2);
    for (int i = 0; i < 2 * batches.per_epoch(); ++i) {
      const data::PackedBatch batch = batches.at(i);
      CHECK(batch.rows == 4);
      CHECK(batch.length == 33);
      CHECK(batch.ids.size() == 4 * 33);
      CHECK(batch.tokens > 0);
    }
  }

  TEST_CASE("the same seed gives the same batches in any order of asking, another seed others") {
    const Batches one(numbered_samples(60), {.rows = 2, .length = 40}, true, 7);
    const Batches two(numbered_samples(60), {.rows = 2, .length = 40}, true, 7);
    const Batches other(numbered_samples(60), {.rows = 2, .length = 40}, true, 8);
    const int64_t late = one.per_epoch() + 3;
    const auto direct = one.at(late);
    for (int64_t i = 0; i < late; ++i) two.at(i);
    CHECK(two.at(late).ids == direct.ids);
    CHECK(other.at(late).ids != direct.ids);
    CHECK(one.at(3).ids != direct.ids);  // another epoch, another order
  }

  TEST_CASE("the shape has about the tokens asked for and room for the longest sample") {
    auto samples = numbered_samples(10);
    CHECK(choose_batch_shape(samples, 512).rows == 1);
    CHECK(choose_batch_shape(samples, 512).length == 512);
    CHECK(choose_batch_shape(samples, 4096).rows == 4);
    CHECK(choose_batch_shape(samples, 4096).length == 1024);
    samples[0].ids.resize(700);
    samples[0].supervised.resize(700);
    CHECK(choose_batch_shape(samples, 512).rows == 1);
    CHECK(choose_batch_shape(samples, 512).length == 700);
  }

  TEST_CASE("counts are those of the samples") {
    const auto samples = numbered_samples(20);
    const Batches batches(samples, {.rows = 1, .length = 64}, false);
    int64_t tokens = 0, supervised = 0, seen = 0;
    for (const data::Sample& sample : samples) {
      tokens += static_cast<int64_t>(sample.ids.size());
      supervised += static_cast<int64_t>(sample.ids.size()) - 1;
    }
    for (int i = 0; i < batches.per_epoch(); ++i)
      seen += static_cast<int64_t>(batches.at(i).predictors.size());
    CHECK(batches.tokens() == tokens);
    CHECK(batches.supervised_tokens() == supervised);
    CHECK(seen == supervised);
    CHECK(batches.filled_share() > 0.8);
  }
}
