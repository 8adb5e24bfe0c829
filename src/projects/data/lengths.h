#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace toolkit::data_check {

/// How long rows are. Percentiles are the nearest-rank ones: the smallest length that at least p %
/// of the rows do not exceed.
struct LengthSummary {
  int count = 0;
  int64_t total = 0;
  int min = 0, p50 = 0, p90 = 0, p99 = 0, max = 0;
  double mean = 0.0;
};

LengthSummary summarize(std::span<const int> lengths);

struct Bin {
  int from = 0, to = 0;  // both included
  int count = 0;
};

/// Bins of one round width (1, 2, 5, 10, 20, ...) that cover all lengths, at most `most` of them.
std::vector<Bin> histogram(std::span<const int> lengths, int most);

}  // namespace toolkit::data_check
