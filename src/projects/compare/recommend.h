#pragma once

#include <span>
#include <string>
#include <vector>

#include "projects/compare/constraints.h"
#include "projects/compare/entry.h"

namespace toolkit::compare {

/// Why a method may not be recommended, in words: a constraint it breaks, or that it was not
/// measured. Empty if it may.
std::string obstacle(const Entry& entry, const Constraints& constraints);

struct Recommendation {
  std::string method;                // "" if none keeps the constraints
  std::vector<std::string> reasons;  // sentences
};

/// By how much `other` is better than `entry` (loss lower, or task score higher) on the same rows,
/// with its 95 % interval.
engine::Estimate advantage(const Entry& other, const Entry& entry, const std::string& goal);

/// Of the methods that keep the constraints: the best one by the goal ("loss" or "task"), or the
/// cheapest of those that are not clearly worse (the paired 95 % interval of the difference holds
/// 0). Cheapest is the quickest; within 10 % of its time the smallest in memory.
Recommendation recommend(const Entry& base, std::span<const Entry> entries,
                         const Constraints& constraints, const std::string& goal);

}  // namespace toolkit::compare
