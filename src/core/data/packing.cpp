#include "core/data/packing.h"

#include <algorithm>
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

void append_sample(PackedBatch& batch, const Sample& sample, int row_begin, int used, int segment) {
  const int length = static_cast<int>(sample.ids.size());
  for (int i = 0; i < length; ++i) {
    const int at = row_begin + used + i;
    batch.ids[at] = sample.ids[i];
    batch.segments[at] = segment;
    if (i > 0 && sample.supervised[i]) {
      batch.predictors.push_back(at - 1);
      batch.targets.push_back(sample.ids[i]);
    }
  }
  batch.tokens += length;
}

}  // namespace

PackedBatch make_batch(std::span<const Sample> samples, std::span<const std::vector<int>> rows,
                       int row_length) {
  PackedBatch batch;
  batch.rows = static_cast<int>(rows.size());
  batch.length = row_length;
  const size_t size = rows.size() * static_cast<size_t>(row_length);
  batch.ids.assign(size, 0);
  batch.segments.assign(size, -1);
  for (int row = 0; row < batch.rows; ++row) {
    int used = 0, segment = 0;
    for (int index : rows[row]) {
      const Sample& sample = samples[index];
      const int length = static_cast<int>(sample.ids.size());
      if (sample.supervised.size() != sample.ids.size()) {
        fail(ErrorKind::kInternal, "make_batch: sample {} has {} ids and {} supervision marks",
             index, sample.ids.size(), sample.supervised.size());
      }
      if (used + length > row_length) {
        fail(ErrorKind::kInternal, "make_batch: row {} needs {} tokens, expected at most {}", row,
             used + length, row_length);
      }
      append_sample(batch, sample, row * row_length, used, segment++);
      used += length;
    }
  }
  return batch;
}

}  // namespace toolkit::data
