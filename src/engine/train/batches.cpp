#include "engine/train/batches.h"

#include <algorithm>
#include <numeric>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/hash/hasher.h"

namespace toolkit::engine {

namespace {
constexpr int kLongRow = 1024;
constexpr uint64_t kOrderStream = 1000;  // of the seed; + epoch
}  // namespace

namespace {

// Tokens of each group of samples, the first `prefix` ones of a sample left out.
std::vector<int> own_lengths(const data::SampleSet& samples, int prefix, int group) {
  std::vector<int> lengths((samples.size() + group - 1) / group, 0);
  for (size_t i = 0; i < samples.size(); ++i) lengths[i / group] += samples[i].size() - prefix;
  return lengths;
}

}  // namespace

BatchShape choose_batch_shape(const data::SampleSet& samples, int batch_tokens, bool share_prefix,
                              int group) {
  const std::vector<int> whole = own_lengths(samples, 0, group);
  const int longest = whole.empty() ? 1 : *std::max_element(whole.begin(), whole.end());
  const int batch_rows = std::max(1, batch_tokens / std::max(longest, kLongRow));
  BatchShape shape{
      .rows = batch_rows, .length = std::max(longest, batch_tokens / batch_rows), .group = group};
  shape.prefix = share_prefix ? data::shared_prefix(samples) : 0;
  if (shape.prefix == 0) return shape;

  const size_t rows = data::pack_best_fit(whole, shape.length).size();
  const std::vector<int> own = own_lengths(samples, shape.prefix, group);
  const int64_t total = std::accumulate(own.begin(), own.end(), int64_t{0});
  const auto least =
      static_cast<int>((total + static_cast<int64_t>(rows) - 1) / static_cast<int64_t>(rows));
  int room = std::max(*std::max_element(own.begin(), own.end()), least);
  while (data::pack_best_fit(own, room).size() > rows) ++room;
  shape.length = shape.prefix + room;
  return shape;
}

int64_t steps_per_epoch(int per_epoch, int batches_per_step) {
  return (int64_t{per_epoch} + batches_per_step - 1) / batches_per_step;
}

StepBatches batches_of_step(int64_t step, int per_epoch, int batches_per_step) {
  const int64_t steps = steps_per_epoch(per_epoch, batches_per_step);
  const int64_t epoch = step / steps, begin = epoch * per_epoch + step % steps * batches_per_step;
  return {begin, std::min(begin + batches_per_step, (epoch + 1) * per_epoch)};
}

Batches::Batches(data::SampleSet samples, BatchShape shape, bool shuffled, uint64_t seed)
    : samples_(std::move(samples)), shape_(shape), shuffled_(shuffled), seed_(seed) {
  if (samples_.empty()) fail(ErrorKind::kInternal, "Batches: no samples");
  if (shape_.group < 1 || samples_.size() % static_cast<size_t>(shape_.group) != 0)
    fail(ErrorKind::kInternal, "Batches: {} samples are no groups of {}", samples_.size(),
         shape_.group);
  // Packing depends on lengths only, so every epoch has as many rows as this one.
  rows_per_epoch_ = static_cast<int>(pack_epoch(0).size());
  per_epoch_ = (rows_per_epoch_ + shape_.rows - 1) / shape_.rows;
  for (int64_t step = 0; step < per_epoch_; ++step)
    places_ += int64_t{shape_.rows} * fullest(rows_of(step));
}

std::vector<std::vector<int>> Batches::pack_epoch(int64_t epoch) const {
  const std::vector<int> own = own_lengths(samples_, shape_.prefix, shape_.group);
  std::vector<int> order(own.size());
  std::iota(order.begin(), order.end(), 0);
  Random random(seed_, kOrderStream + static_cast<uint64_t>(epoch));
  if (shuffled_) random.shuffle(order);
  std::vector<int> lengths;
  for (int index : order) lengths.push_back(own[index]);
  std::vector<std::vector<int>> rows = data::pack_best_fit(lengths, shape_.length - shape_.prefix);
  for (std::vector<int>& row : rows) {
    std::vector<int> members;
    for (const int place : row)
      for (int i = 0; i < shape_.group; ++i) members.push_back(order[place] * shape_.group + i);
    row = std::move(members);
  }
  if (shuffled_) random.shuffle(rows);
  return rows;
}

std::span<const std::vector<int>> Batches::rows_of(int64_t step) const {
  const int64_t epoch = step / per_epoch_;
  if (epoch != packed_epoch_) {
    rows_ = pack_epoch(epoch);
    rows_.resize(static_cast<size_t>(per_epoch_) * shape_.rows);  // empty rows fill the last batch
    packed_epoch_ = epoch;
  }
  const size_t begin = static_cast<size_t>(step % per_epoch_) * shape_.rows;
  return std::span(rows_).subspan(begin, shape_.rows);
}

int Batches::fullest(std::span<const std::vector<int>> rows) const {
  int most = 0;
  for (const std::vector<int>& row : rows) {
    int used = shape_.prefix;
    for (const int index : row) used += samples_[index].size() - shape_.prefix;
    most = std::max(most, used);
  }
  return most;
}

data::PackedBatch Batches::at(int64_t step) const {
  const std::span<const std::vector<int>> rows = rows_of(step);
  return data::make_batch(samples_, rows, fullest(rows), shape_.prefix);
}

int64_t Batches::tokens() const {
  return samples_.tokens();
}

int64_t Batches::supervised_tokens() const {
  return samples_.supervised_tokens();
}

std::string Batches::digest() const {
  hash::Hasher hasher(hash::Algorithm::kSha256);
  const auto add = [&](const std::vector<int32_t>& numbers) {
    hasher.update(
        {reinterpret_cast<const uint8_t*>(numbers.data()), numbers.size() * sizeof(int32_t)});
  };
  for (int i = 0; i < per_epoch_; ++i) {
    const data::PackedBatch batch = at(i);
    add(batch.ids);
    add(batch.predictors);
    add(batch.targets);
  }
  return hasher.finish().hex;
}

double Batches::filled_share() const {
  const auto rows = static_cast<int64_t>(rows_per_epoch_),
             count = static_cast<int64_t>(samples_.size());
  const int64_t held = tokens() - (count - rows) * shape_.prefix;
  return static_cast<double>(held) / static_cast<double>(places_);
}

}  // namespace toolkit::engine
