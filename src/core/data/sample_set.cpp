#include "core/data/sample_set.h"

#include <utility>

#include "core/base/error.h"

namespace toolkit::data {

SampleView SampleView::cut(int length) const {
  if (length >= size_) return *this;
  int supervised_count = 0;
  for (int i = 0; i < length; ++i) supervised_count += supervised(i) ? 1 : 0;
  return {std::span(tokens_, static_cast<size_t>(length)), supervised_count, line_};
}

SampleSet::SampleSet(std::span<const Sample> samples) {
  size_t total = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    if (samples[i].ids.empty() || samples[i].supervised.size() != samples[i].ids.size())
      fail(ErrorKind::kInternal, "SampleSet: sample {} has {} ids and {} supervision marks", i,
           samples[i].ids.size(), samples[i].supervised.size());
    total += samples[i].ids.size();
  }
  auto tokens = std::make_shared<std::vector<uint32_t>>();
  tokens->reserve(total);  // views point into it
  for (const Sample& sample : samples) {
    const size_t begin = tokens->size();
    for (size_t i = 0; i < sample.ids.size(); ++i)
      tokens->push_back(marked_token(sample.ids[i], sample.supervised[i]));
    views_.emplace_back(std::span(*tokens).subspan(begin), sample.supervised_count(), sample.line);
  }
  owners_.push_back(std::move(tokens));
}

SampleSet::SampleSet(std::vector<SampleView> views, std::shared_ptr<const void> owner)
    : views_(std::move(views)) {
  owners_.push_back(std::move(owner));
}

SampleSet SampleSet::cut(int length) const {
  SampleSet result;
  result.owners_ = owners_;
  for (const SampleView& view : views_)
    if (const SampleView shorter = view.cut(length); shorter.supervised_count() > 0)
      result.views_.push_back(shorter);
  return result;
}

void SampleSet::append(const SampleSet& other, std::span<const int> indices) {
  views_.reserve(views_.size() + indices.size());
  for (const int index : indices) views_.push_back(other.views_.at(static_cast<size_t>(index)));
  owners_.insert(owners_.end(), other.owners_.begin(), other.owners_.end());
}

int64_t SampleSet::tokens() const {
  int64_t total = 0;
  for (const SampleView& view : views_) total += view.size();
  return total;
}

int64_t SampleSet::supervised_tokens() const {
  int64_t total = 0;
  for (const SampleView& view : views_) total += view.supervised_count();
  return total;
}

}  // namespace toolkit::data
