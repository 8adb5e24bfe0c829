#include "projects/finetune/automatic.h"

#include <algorithm>
#include <cstdint>

namespace toolkit::finetune {

namespace {

constexpr int kStep = 64;
constexpr int kUnknownContext = 8192;
constexpr double kKept = 0.995;
constexpr int64_t kRows = 32, kBatches = 50, kLeast = 256, kMost = 4096;

}  // namespace

int longest_length(const models::DecoderConfig& model) {
  return model.max_positions > 0 ? model.max_positions : kUnknownContext;
}

int automatic_length(const data::SampleSet& samples, const models::DecoderConfig& model) {
  // Supervised tokens by the place they stand at, counted in steps.
  std::vector<int64_t> at_place(static_cast<size_t>(longest_length(model) / kStep + 1));
  for (const data::SampleView& sample : samples)
    for (int i = 0; i < sample.size(); ++i)
      if (sample.supervised(i)) ++at_place[std::min(at_place.size() - 1, size_t(i) / kStep)];
  const double wanted = kKept * static_cast<double>(samples.supervised_tokens());
  int64_t held = 0;
  size_t steps = 0;
  while (steps < at_place.size() && static_cast<double>(held) < wanted) held += at_place[steps++];
  return std::min(longest_length(model), std::max<int>(1, static_cast<int>(steps)) * kStep);
}

int automatic_batch(const data::SampleSet& samples) {
  const int64_t tokens = samples.tokens(), rows = static_cast<int64_t>(samples.size());
  const int64_t wanted = std::min(kRows * tokens / std::max<int64_t>(1, rows), tokens / kBatches);
  return static_cast<int>(std::clamp(wanted / kStep * kStep, kLeast, kMost));
}

}  // namespace toolkit::finetune
