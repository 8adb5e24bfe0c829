#include "core/data/packing.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "core/base/error.h"

namespace toolkit::data {
namespace {

Sample sample_of(int first_id, int length, int supervised_from) {
  Sample sample;
  for (int i = 0; i < length; ++i) {
    sample.ids.push_back(first_id + i);
    sample.supervised.push_back(i > 0 && i >= supervised_from);
  }
  return sample;
}

// The definition of best-fit decreasing, without a search structure.
std::vector<std::vector<int>> pack_by_definition(const std::vector<int>& lengths, int row_length) {
  std::vector<int> order(lengths.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return lengths[a] > lengths[b]; });
  std::vector<std::vector<int>> rows;
  std::vector<int> room;
  for (int sample : order) {
    int best = -1;
    for (int row = 0; row < static_cast<int>(rows.size()); ++row) {
      if (room[row] >= lengths[sample] && (best < 0 || room[row] < room[best])) best = row;
    }
    if (best < 0) {
      best = static_cast<int>(rows.size());
      rows.emplace_back();
      room.push_back(row_length);
    }
    rows[best].push_back(sample);
    room[best] -= lengths[sample];
  }
  return rows;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("best fit decreasing: the tightest row that fits, equal to its definition") {
    std::mt19937 random(7);
    for (int round = 0; round < 50; ++round) {
      const int row_length = 8 + static_cast<int>(random() % 120);
      std::vector<int> lengths(random() % 200);
      for (int& length : lengths) length = 1 + static_cast<int>(random() % row_length);
      CHECK(pack_best_fit(lengths, row_length) == pack_by_definition(lengths, row_length));
    }
  }

  TEST_CASE("packing: every sample once, no row too long") {
    std::mt19937 random(1);
    std::vector<int> lengths(20000);
    for (int& length : lengths) length = 1 + static_cast<int>(random() % 300);
    const auto rows = pack_best_fit(lengths, 512);
    std::vector<int> seen(lengths.size(), 0);
    for (const auto& row : rows) {
      int used = 0;
      for (int sample : row) {
        used += lengths[sample];
        ++seen[sample];
      }
      CHECK_LE(used, 512);
    }
    CHECK(std::all_of(seen.begin(), seen.end(), [](int times) { return times == 1; }));
    const double tokens = std::accumulate(lengths.begin(), lengths.end(), 0.0);
    CHECK_GT(tokens / (512.0 * static_cast<double>(rows.size())), 0.99);
  }

  TEST_CASE("packing: nothing to pack, and samples that cannot be packed") {
    CHECK(pack_best_fit({}, 16).empty());
    const std::vector<int> too_long = {4, 17}, empty = {0};
    CHECK_THROWS_AS(pack_best_fit(too_long, 16), Error);
    CHECK_THROWS_AS(pack_best_fit(empty, 16), Error);
    CHECK_THROWS_AS(pack_best_fit(empty, 0), Error);
  }

  TEST_CASE("a batch: ids, segments, padding and the tokens to predict") {
    const std::vector<Sample> samples = {sample_of(10, 3, 1), sample_of(20, 4, 2),
                                         sample_of(30, 2, 5)};
    const std::vector<std::vector<int>> rows = {{1, 2}, {0}};
    const PackedBatch batch = make_batch(samples, rows, 7);
    CHECK_EQ(batch.rows, 2);
    CHECK_EQ(batch.length, 7);
    CHECK_EQ(batch.tokens, 9);
    CHECK(batch.ids == std::vector<int32_t>{20, 21, 22, 23, 30, 31, 0, 10, 11, 12, 0, 0, 0, 0});
    CHECK(batch.segments == std::vector<int32_t>{0, 0, 0, 0, 1, 1, -1, 0, 0, 0, -1, -1, -1, -1});
    CHECK(batch.predictors == std::vector<int32_t>{1, 2, 7, 8});
    CHECK(batch.targets == std::vector<int32_t>{22, 23, 11, 12});
  }

  TEST_CASE("a batch never predicts across a boundary, whatever the first mark says") {
    Sample marked = sample_of(5, 3, 1);
    marked.supervised[0] = true;
    const std::vector<Sample> samples = {sample_of(1, 2, 1), marked};
    const std::vector<std::vector<int>> rows = {{0, 1}};
    const PackedBatch batch = make_batch(samples, rows, 6);
    CHECK(batch.predictors == std::vector<int32_t>{0, 2, 3});
    CHECK(batch.targets == std::vector<int32_t>{2, 6, 7});
  }

  TEST_CASE("what samples share ends before a supervised token is predicted") {
    std::vector<Sample> samples = {sample_of(1, 30, 20), sample_of(1, 40, 22)};
    CHECK_EQ(shared_prefix(samples), 19);
    samples[1].ids[12] = 99;
    CHECK_EQ(shared_prefix(samples), 12);
    samples[1].ids[7] = 99;
    CHECK_EQ(shared_prefix(samples), 0);  // too little to gain
    samples[1] = sample_of(1, 40, 9);     // the prompt is shorter than what is common
    CHECK_EQ(shared_prefix(samples), 8);
    samples[1] = sample_of(1, 40, 8);
    CHECK_EQ(shared_prefix(samples), 0);
    samples[1] = sample_of(1, 14, 100);  // a sample that is all prefix keeps a token of its own
    CHECK_EQ(shared_prefix(samples), 13);
    samples[1] = sample_of(2, 40, 30);
    CHECK_EQ(shared_prefix(samples), 0);
    samples.pop_back();
    CHECK_EQ(shared_prefix(samples), 0);
    samples.pop_back();
    CHECK_EQ(shared_prefix(samples), 0);
  }

  TEST_CASE("a batch with a shared prefix: the first sample whole, the others without it") {
    const std::vector<Sample> samples = {sample_of(10, 5, 3), sample_of(10, 6, 4),
                                         sample_of(10, 4, 3)};
    const std::vector<std::vector<int>> rows = {{1, 0, 2}, {0}, {}};
    const PackedBatch batch = make_batch(samples, rows, 11, 2);
    CHECK_EQ(batch.prefix, 2);
    CHECK_EQ(batch.tokens, 20);
    const auto row = [&](const std::vector<int32_t>& all, int at) {
      return std::vector<int32_t>(all.begin() + at * 11, all.begin() + (at + 1) * 11);
    };
    CHECK(row(batch.ids, 0) == std::vector<int32_t>{10, 11, 12, 13, 14, 15, 12, 13, 14, 12, 13});
    CHECK(row(batch.segments, 0) == std::vector<int32_t>{0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2});
    CHECK(row(batch.positions, 0) == std::vector<int32_t>{0, 1, 2, 3, 4, 5, 2, 3, 4, 2, 3});
    CHECK(row(batch.ids, 1) == std::vector<int32_t>{10, 11, 12, 13, 14, 0, 0, 0, 0, 0, 0});
    CHECK(row(batch.segments, 2) == std::vector<int32_t>(11, -1));
    CHECK(batch.predictors == std::vector<int32_t>{3, 4, 6, 7, 9, 13, 14});
    CHECK(batch.targets == std::vector<int32_t>{14, 15, 13, 14, 13, 13, 14});
  }

  TEST_CASE("a batch refuses a prefix that samples do not share, or predict in") {
    std::vector<Sample> samples = {sample_of(10, 6, 4), sample_of(10, 6, 4)};
    const std::vector<std::vector<int>> rows = {{0, 1}};
    CHECK_NOTHROW(make_batch(samples, rows, 9, 3));
    CHECK_THROWS_AS(make_batch(samples, rows, 9, 4), Error);
    CHECK_THROWS_AS(make_batch(samples, rows, 8, 3), Error);
    samples[1].ids[2] = 7;
    CHECK_THROWS_AS(make_batch(samples, rows, 9, 3), Error);
  }

  TEST_CASE("a batch refuses rows that do not fit") {
    const std::vector<Sample> samples = {sample_of(1, 4, 1), sample_of(1, 4, 1)};
    const std::vector<std::vector<int>> rows = {{0, 1}};
    CHECK_THROWS_AS(make_batch(samples, rows, 7), Error);
  }
}

}  // namespace toolkit::data
