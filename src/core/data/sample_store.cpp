#include "core/data/sample_store.h"

#include <utility>

#include "core/base/error.h"

namespace toolkit::data {

SampleStore::SampleStore(std::filesystem::path folder, size_t memory_bytes)
    : folder_(std::move(folder)), memory_bytes_(memory_bytes) {}

void SampleStore::add(const Sample& sample) {
  if (sample.ids.empty() || sample.supervised.size() != sample.ids.size())
    fail(ErrorKind::kInternal, "SampleStore: a sample has {} ids and {} supervision marks",
         sample.ids.size(), sample.supervised.size());
  for (size_t i = 0; i < sample.ids.size(); ++i)
    tokens_.push_back(marked_token(sample.ids[i], sample.supervised[i]));
  entries_.push_back({.size = static_cast<int32_t>(sample.ids.size()),
                      .supervised = sample.supervised_count(),
                      .line = sample.line});
  if (tokens_.size() * sizeof(uint32_t) > memory_bytes_) spill();
}

void SampleStore::spill() {
  if (!file_) file_ = std::make_unique<files::SpoolFile>(folder_);
  file_->append(
      {reinterpret_cast<const uint8_t*>(tokens_.data()), tokens_.size() * sizeof(uint32_t)});
  tokens_.clear();
}

SampleSet SampleStore::finish() {
  std::shared_ptr<const void> owner;
  const uint32_t* tokens = nullptr;
  if (file_) {
    spill();
    owner = file_->map();
    file_.reset();
    tokens = static_cast<const uint32_t*>(owner.get());
  } else {
    const auto held = std::make_shared<std::vector<uint32_t>>(std::exchange(tokens_, {}));
    tokens = held->data();
    owner = held;
  }
  std::vector<SampleView> views;
  views.reserve(entries_.size());
  for (const Entry& entry : std::exchange(entries_, {})) {
    views.emplace_back(std::span(tokens, static_cast<size_t>(entry.size)), entry.supervised,
                       entry.line);
    tokens += entry.size;
  }
  return SampleSet(std::move(views), std::move(owner));
}

}  // namespace toolkit::data
