#include "engine/train/gradient_rank.h"

#include <doctest/doctest.h>

#include "engine/train/testing/tiny_model.h"

using namespace toolkit;
using namespace toolkit::engine;
using namespace toolkit::engine::testing;

namespace {

RankProposal proposal_for(std::vector<data::Sample> samples, int most = 16) {
  const std::unique_ptr<models::Decoder> model = tiny_model();
  const Batches batches(data::SampleSet(samples), {.rows = 1, .length = 64}, false);
  return propose_rank(*model, {.seed = 3}, batches, most);
}

// One token after another of one kind only.
std::vector<data::Sample> monotonous(int count) {
  std::vector<data::Sample> samples;
  for (int i = 0; i < count; ++i)
    samples.push_back(
        {.ids = std::vector<int32_t>(32, 3), .supervised = std::vector<bool>(32, true)});
  for (data::Sample& sample : samples) sample.supervised[0] = false;
  return samples;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("rows that say one thing pull in fewer directions than rows of many") {
    const RankProposal one = proposal_for(monotonous(16));
    const RankProposal many = proposal_for(rule_samples(40, 1));
    CHECK(one.effective < 3);
    CHECK(many.effective > 2 * one.effective);
    CHECK(one.rank == 4);
    CHECK(many.rank >= one.rank);
    CHECK(many.layers.size() == one.layers.size());
    for (const auto& [path, effective] : many.layers) {
      CAPTURE(path);
      CHECK(effective > 0);
      CHECK(effective <= 16.01);
    }
  }

  TEST_CASE("the proposal is the same every time and never above the most") {
    const RankProposal first = proposal_for(rule_samples(40, 1), 4);
    CHECK(first.rank == 4);
    CHECK(first.effective == proposal_for(rule_samples(40, 1), 4).effective);
    CHECK(first.batches > 0);
  }
}
