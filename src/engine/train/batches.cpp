#include "engine/train/batches.h"

#include <algorithm>
#include <numeric>

#include "core/base/error.h"
#include "core/base/random.h"

namespace toolkit::engine {

namespace {
constexpr int kLongRow = 1024;
constexpr uint64_t kOrderStream = 1000;  // of the seed; + epoch
}  // namespace

BatchShape choose_batch_shape(std::span<const data::Sample> samples, int batch_tokens) {
  int longest = 1;
  for (const data::Sample& sample : samples)
    longest = std::max(longest, static_cast<int>(sample.ids.size()));
  const int rows = std::max(1, batch_tokens / std::max(longest, kLongRow));
  return {.rows = rows, .length = std::max(longest, batch_tokens / rows)};
}

Batches::Batches(std::vector<data::Sample> samples, BatchShape shape, bool shuffled, uint64_t seed)
    : samples_(std::move(samples)), shape_(shape), shuffled_(shuffled), seed_(seed) {
  if (samples_.empty()) fail(ErrorKind::kInternal, "Batches: no samples");
  // Packing depends on lengths only, so every epoch has as many rows as this one.
  const int rows = static_cast<int>(pack_epoch(0).size());
  per_epoch_ = (rows + shape_.rows - 1) / shape_.rows;
}

std::vector<std::vector<int>> Batches::pack_epoch(int64_t epoch) const {
  std::vector<int> order(samples_.size());
  std::iota(order.begin(), order.end(), 0);
  Random random(seed_, kOrderStream + static_cast<uint64_t>(epoch));
  if (shuffled_) random.shuffle(order);
  std::vector<int> lengths;
  for (int index : order) lengths.push_back(static_cast<int>(samples_[index].ids.size()));
  std::vector<std::vector<int>> rows = data::pack_best_fit(lengths, shape_.length);
  for (std::vector<int>& row : rows)
    for (int& place : row) place = order[place];
  if (shuffled_) random.shuffle(rows);
  return rows;
}

data::PackedBatch Batches::at(int64_t step) const {
  const int64_t epoch = step / per_epoch_;
  if (epoch != packed_epoch_) {
    rows_ = pack_epoch(epoch);
    rows_.resize(static_cast<size_t>(per_epoch_) * shape_.rows);  // empty rows fill the last batch
    packed_epoch_ = epoch;
  }
  const size_t begin = static_cast<size_t>(step % per_epoch_) * shape_.rows;
  return data::make_batch(samples_, std::span(rows_).subspan(begin, shape_.rows), shape_.length);
}

int64_t Batches::tokens() const {
  int64_t total = 0;
  for (const data::Sample& sample : samples_) total += static_cast<int64_t>(sample.ids.size());
  return total;
}

int64_t Batches::supervised_tokens() const {
  int64_t total = 0;
  for (const data::Sample& sample : samples_) total += sample.supervised_count();
  return total;
}

double Batches::filled_share() const {
  return static_cast<double>(tokens()) / static_cast<double>(shape_.tokens() * per_epoch_);
}

}  // namespace toolkit::engine
