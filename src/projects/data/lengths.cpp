#include "projects/data/lengths.h"

#include <algorithm>
#include <numeric>

namespace toolkit::data_check {
namespace {

int percentile(const std::vector<int>& sorted, int percent) {
  const size_t rank = (sorted.size() * static_cast<size_t>(percent) + 99) / 100;
  return sorted[std::max<size_t>(rank, 1) - 1];
}

// The smallest of 1, 2, 5, 10, 20, 50, ... that needs no more than `most` bins.
int64_t round_width(int64_t low, int64_t high, int64_t most) {
  int64_t power = 1;
  while (true) {
    for (int64_t digit : {1, 2, 5}) {
      const int64_t width = digit * power;
      if (high / width - low / width + 1 <= most) return width;
    }
    power *= 10;
  }
}

}  // namespace

LengthSummary summarize(std::span<const int> lengths) {
  LengthSummary summary;
  if (lengths.empty()) return summary;
  std::vector<int> sorted(lengths.begin(), lengths.end());
  std::sort(sorted.begin(), sorted.end());
  summary.count = static_cast<int>(sorted.size());
  summary.total = std::accumulate(sorted.begin(), sorted.end(), int64_t{0});
  summary.min = sorted.front();
  summary.p50 = percentile(sorted, 50);
  summary.p90 = percentile(sorted, 90);
  summary.p99 = percentile(sorted, 99);
  summary.max = sorted.back();
  summary.mean = static_cast<double>(summary.total) / static_cast<double>(sorted.size());
  return summary;
}

std::vector<Bin> histogram(std::span<const int> lengths, int most) {
  if (lengths.empty()) return {};
  const auto [low, high] = std::minmax_element(lengths.begin(), lengths.end());
  const int64_t width = round_width(*low, *high, std::max(most, 1));
  const int64_t first = *low / width;
  std::vector<Bin> bins(static_cast<size_t>(*high / width - first + 1));
  for (size_t i = 0; i < bins.size(); ++i) {
    const int64_t from = (first + static_cast<int64_t>(i)) * width;
    bins[i].from = static_cast<int>(from);
    bins[i].to = static_cast<int>(from + width - 1);
  }
  for (int length : lengths) ++bins[static_cast<size_t>(length / width - first)].count;
  return bins;
}

}  // namespace toolkit::data_check
