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

  TEST_CASE("a batch is as long as its fullest row, never longer than the shape") {
    const Batches batches(numbered_samples(50), {.rows = 4, .length = 33}, true, 2);
    for (int i = 0; i < 2 * batches.per_epoch(); ++i) {
      const data::PackedBatch batch = batches.at(i);
      CHECK(batch.rows == 4);
      CHECK(batch.length <= 33);
      CHECK(batch.ids.size() == 4 * static_cast<size_t>(batch.length));
      bool last_place_used = false;
      for (int row = 0; row < batch.rows; ++row)
        last_place_used |= batch.segments[(row + 1) * static_cast<size_t>(batch.length) - 1] >= 0;
      CHECK(last_place_used);
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

  TEST_CASE("rows with a shared prefix: as many batches as without, each sample in one place") {
    std::vector<data::Sample> samples = numbered_samples(300);
    for (data::Sample& sample : samples) {
      std::vector<int32_t> ids(20, 7777);  // what all begin with
      ids.insert(ids.end(), sample.ids.begin(), sample.ids.end());
      sample.ids = ids;
      sample.supervised.assign(sample.ids.size(), true);
      std::fill_n(sample.supervised.begin(), 22, false);
    }
    for (const int batch_tokens : {16, 100, 512, 4096}) {
      CAPTURE(batch_tokens);
      const BatchShape plain = choose_batch_shape(samples, batch_tokens);
      const BatchShape shape = choose_batch_shape(samples, batch_tokens, true);
      CHECK(plain.prefix == 0);
      CHECK(shape.prefix == 20);
      CHECK(shape.rows == plain.rows);
      if (batch_tokens >= 512) CHECK(shape.length < 0.7 * plain.length);
      const Batches unshared(samples, plain, true, 3), batches(samples, shape, true, 3);
      CHECK(batches.per_epoch() <= unshared.per_epoch());
      // Where the longest sample alone decides the length, rows hold more of the others.
      if (batch_tokens > 16) CHECK(batches.per_epoch() == unshared.per_epoch());
      CHECK(batches.tokens() == unshared.tokens());
      CHECK(batches.filled_share() <= 1.0);
      CHECK(batches.filled_share() >= unshared.filled_share() - 0.02);
      std::map<int, int> counts;
      int64_t tokens = 0, held = 0, places = 0;
      size_t predicted = 0;
      for (int i = 0; i < batches.per_epoch(); ++i) {
        const data::PackedBatch batch = batches.at(i);
        for (size_t at = 0; at < batch.ids.size(); ++at)
          if (batch.segments[at] >= 0) ++counts[batch.ids[at]], ++held;
        places += static_cast<int64_t>(batch.ids.size());
        tokens += batch.tokens;
        predicted += batch.predictors.size();
      }
      for (size_t i = 0; i < samples.size(); ++i)
        CHECK(counts.at(static_cast<int>(i)) == static_cast<int>(samples[i].ids.size()) - 20);
      CHECK(tokens == batches.tokens());
      CHECK(static_cast<int64_t>(predicted) == batches.supervised_tokens());
      CHECK(batches.places() == places);
      CHECK(batches.filled_share() ==
            doctest::Approx(static_cast<double>(held) / static_cast<double>(places)));
    }
    samples[4].ids[3] = 1;
    const BatchShape none = choose_batch_shape(samples, 512, true);
    CHECK(none.prefix == 0);
    CHECK(none.length == 512);
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
