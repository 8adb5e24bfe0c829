#include "core/data/packing.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>
#include <utility>

#include "core/base/error.h"

namespace toolkit::data {

std::vector<std::vector<int>> pack_best_fit(std::span<const int> lengths, int row_length) {
  if (row_length <= 0)
    fail(ErrorKind::kInternal, "pack_best_fit: row length {}, expected > 0", row_length);
  std::vector<int> order(lengths.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return lengths[a] > lengths[b]; });

  std::vector<std::vector<int>> rows;
  std::set<std::pair<int, int>>
      open;  // (free tokens, row): the first that is large enough fits best
  for (int sample : order) {
    const int length = lengths[sample];
    if (length <= 0 || length > row_length) {
      fail(ErrorKind::kInternal, "pack_best_fit: sample {} has {} tokens, expected 1 to {}", sample,
           length, row_length);
    }
    auto place = open.lower_bound({length, 0});
    int row = static_cast<int>(rows.size());
    int room = row_length;
    if (place == open.end()) {
      rows.emplace_back();
    } else {
      room = place->first;
      row = place->second;
      open.erase(place);
    }
    rows[row].push_back(sample);
    if (room > length) open.insert({room - length, row});
  }
  return rows;
}

namespace {

constexpr int kShortestPrefix = 8;

/// Tokens before the one that predicts the first supervised token.
int unsupervised_start(const SampleView& sample) {
  int first = 1;
  while (first < sample.size() && !sample.supervised(first)) ++first;
  return first - 1;
}

/// How many tokens both begin with, at most `limit`.
int common_tokens(const SampleView& a, const SampleView& b, int limit) {
  limit = std::min({limit, a.size(), b.size()});
  int same = 0;
  while (same < limit && a.id(same) == b.id(same)) ++same;
  return same;
}

void check_prefix(const SampleView& sample, const SampleView& first, int index, int prefix) {
  if (prefix == 0) return;
  const bool same = unsupervised_start(sample) >= prefix && unsupervised_start(first) >= prefix &&
                    common_tokens(first, sample, prefix) == prefix;
  if (!same)
    fail(ErrorKind::kInternal, "make_batch: sample {} does not share the first {} tokens", index,
         prefix);
}

/// Adds the tokens of a sample from `skipped` on behind `used` tokens of a row.
void append_sample(PackedBatch& batch, const SampleView& sample, int skipped, int row_begin,
                   int used, int segment) {
  const int length = sample.size();
  for (int i = skipped; i < length; ++i) {
    const int at = row_begin + used + i - skipped;
    batch.ids[at] = sample.id(i);
    batch.segments[at] = segment;
    batch.positions[at] = i;
    if (i > 0 && sample.supervised(i)) {
      batch.predictors.push_back(at - 1);
      batch.targets.push_back(sample.id(i));
      batch.owners.push_back(static_cast<int32_t>(batch.samples.size()) - 1);
    }
  }
  batch.tokens += length;
}

}  // namespace

int shared_prefix(const SampleSet& samples) {
  int shared = samples.size() < 2 ? 0 : std::numeric_limits<int>::max();
  for (size_t i = 0; i < samples.size() && shared >= kShortestPrefix; ++i) {
    shared = std::min({shared, unsupervised_start(samples[i]),
                       common_tokens(samples[0], samples[i], samples[0].size())});
  }
  return shared >= kShortestPrefix ? shared : 0;
}

PackedBatch make_batch(const SampleSet& samples, std::span<const std::vector<int>> rows,
                       int row_length, int prefix) {
  PackedBatch batch{.rows = static_cast<int>(rows.size()), .length = row_length, .prefix = prefix};
  const size_t size = rows.size() * static_cast<size_t>(row_length);
  batch.ids.assign(size, 0);
  batch.segments.assign(size, -1);
  batch.positions.assign(size, 0);
  for (int row = 0; row < batch.rows; ++row) {
    int used = 0, segment = 0;
    for (int index : rows[row]) {
      const SampleView& sample = samples[index];
      check_prefix(sample, samples[rows[row][0]], index, prefix);
      const int skipped = segment == 0 ? 0 : prefix;
      const int own = sample.size() - skipped;
      if (used + own > row_length) {
        fail(ErrorKind::kInternal, "make_batch: row {} needs {} tokens, expected at most {}", row,
             used + own, row_length);
      }
      batch.samples.push_back(index);
      append_sample(batch, sample, skipped, row * row_length, used, segment++);
      used += own;
    }
  }
  return batch;
}

}  // namespace toolkit::data
