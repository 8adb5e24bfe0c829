#include "engine/search/bayesian.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "core/base/error.h"

namespace toolkit::search {

namespace {

// Of a dimension's whole width: trials that differ by less give the same loss, or as good as.
constexpr double kSamePoint = 0.02;
constexpr int kRandomCandidates = 1000, kNearCandidates = 200, kClimbers = 5, kClimbSteps = 60;

struct Scored {
  Point point;
  double score = 0;
};

/// Distinct points, in the order they were tried first.
std::vector<Point> points_of(std::span<const Observation> observations) {
  std::vector<Point> points;
  for (const Observation& one : observations) {
    if (std::find(points.begin(), points.end(), one.point) == points.end())
      points.push_back(one.point);
  }
  return points;
}

/// Values as the process sees them: failed and far too high ones at a bound.
std::vector<double> bounded_values(std::span<const Observation> observations) {
  std::vector<double> finite;
  for (const Observation& one : observations) {
    if (std::isfinite(one.value)) finite.push_back(one.value);
  }
  if (finite.empty()) fail(ErrorKind::kInternal, "search: no trial has a result");
  std::sort(finite.begin(), finite.end());
  const double low = finite.front(), median = finite[finite.size() / 2];
  const double bound = median > low ? median + 3 * (median - low) : finite.back();
  std::vector<double> values;
  for (const Observation& one : observations)
    values.push_back(std::isfinite(one.value) ? std::min(one.value, bound) : bound);
  return values;
}

bool is_same(const std::vector<double>& a, const std::vector<double>& b) {
  for (size_t i = 0; i < a.size(); ++i)
    if (std::abs(a[i] - b[i]) > kSamePoint) return false;
  return true;
}

class Acquisition {
 public:
  Acquisition(const Space& space, std::span<const Observation> observations, uint64_t seed)
      : space_(space),
        process_(model_of(space, observations, seed)),
        tried_(points_of(observations)) {
    for (const Point& point : tried_) {
      tried_features_.push_back(trial_features(space_, point, 1));
      best_ = std::min(best_, process_.mean(tried_features_.back()));
    }
  }

  /// Minus infinity for a point that was tried: nothing new would come of it.
  double operator()(const Point& point) const {
    const std::vector<double> features = trial_features(space_, point, 1);
    if (std::any_of(tried_features_.begin(), tried_features_.end(),
                    [&](const std::vector<double>& one) { return is_same(one, features); }))
      return -std::numeric_limits<double>::infinity();
    const auto prediction = process_.predict(features);
    return log_expected_improvement(best_, prediction.mean, prediction.deviation);
  }

  /// The tried points, most promising first.
  std::vector<Point> best_tried() const {
    std::vector<Scored> scored;
    for (const Point& point : tried_)
      scored.push_back({point, process_.mean(trial_features(space_, point, 1))});
    std::stable_sort(scored.begin(), scored.end(),
                     [](const Scored& a, const Scored& b) { return a.score < b.score; });
    std::vector<Point> points;
    for (Scored& one : scored) points.push_back(std::move(one.point));
    return points;
  }

 private:
  const Space& space_;
  GaussianProcess process_;
  std::vector<Point> tried_;
  std::vector<std::vector<double>> tried_features_;
  double best_ = std::numeric_limits<double>::infinity();
};

Point best_of(std::span<const Point> candidates, const Acquisition& acquisition) {
  const Point* best = &candidates[0];
  double best_score = acquisition(*best);
  for (const Point& point : candidates.subspan(1)) {
    const double score = acquisition(point);
    if (score > best_score) {
      best = &point;
      best_score = score;
    }
  }
  return *best;
}

/// Random points and neighbours of the best ones, the highest of them moved uphill.
Point maximize(const Space& space, const Acquisition& acquisition, Random& random) {
  std::vector<Scored> scored;
  const auto consider = [&](Point point) {
    const double score = acquisition(point);
    scored.push_back({std::move(point), score});
  };
  for (int i = 0; i < kRandomCandidates; ++i) consider(space.random(random));
  const std::vector<Point> best = acquisition.best_tried();
  for (int i = 0; i < kNearCandidates; ++i)
    consider(space.neighbour(best[static_cast<size_t>(i) % std::min<size_t>(best.size(), 4)], 0.1,
                             random));
  const auto higher = [](const Scored& a, const Scored& b) { return a.score > b.score; };
  std::partial_sort(scored.begin(), scored.begin() + kClimbers, scored.end(), higher);
  scored.resize(kClimbers);
  for (Scored& climber : scored) {
    double width = 0.1;
    for (int step = 0; step < kClimbSteps; ++step) {
      Point next = space.neighbour(climber.point, width, random);
      const double score = acquisition(next);
      if (score > climber.score)
        climber = {std::move(next), score};
      else
        width = std::max(width * 0.92, 1e-3);
    }
  }
  return std::max_element(scored.begin(), scored.end(),
                          [](const Scored& a, const Scored& b) { return a.score < b.score; })
      ->point;
}

}  // namespace

double log_expected_improvement(double best, double mean, double deviation) {
  const double z = (best - mean) / deviation;
  const double log_density = -0.5 * z * z - 0.5 * std::log(2 * std::numbers::pi);
  // h(z) = phi(z) + z Phi(z); far below zero it is phi(z) / z^2 (1 - 3 / z^2 + ...).
  if (z < -8)
    return std::log(deviation) + log_density - 2 * std::log(-z) + std::log1p(-3 / (z * z));
  const double h = std::exp(log_density) + 0.5 * z * std::erfc(-z / std::numbers::sqrt2);
  return std::log(deviation) + std::log(std::max(h, std::numeric_limits<double>::min()));
}

std::vector<double> trial_features(const Space& space, const Point& point, double share) {
  std::vector<double> features = space.features(point);
  // A dimension of its own: a third of the steps is half a unit away from all of them.
  features.push_back(std::log(share) / std::log(9.0));
  return features;
}

GaussianProcess model_of(const Space& space, std::span<const Observation> observations,
                         uint64_t seed) {
  std::vector<std::vector<double>> inputs;
  for (const Observation& one : observations)
    inputs.push_back(trial_features(space, one.point, one.share));
  std::vector<int> dimensions = space.feature_dimensions();
  dimensions.push_back(static_cast<int>(space.size()));
  return GaussianProcess::fit(std::move(inputs), bounded_values(observations),
                              std::move(dimensions), seed);
}

Point propose(const Space& space, std::span<const Observation> observations,
              const ProposeOptions& options) {
  const auto tried = static_cast<int64_t>(points_of(observations).size());
  const bool modelled =
      tried >= options.initial &&
      std::any_of(observations.begin(), observations.end(),
                  [](const Observation& one) { return std::isfinite(one.value); });
  Random random(options.seed, 1000 + static_cast<uint64_t>(tried));
  if (!modelled && !options.candidates.empty())
    return options.candidates[random.below(options.candidates.size())];
  if (!modelled) return space.from_unit(halton(tried, space.size(), options.seed));
  const Acquisition acquisition(space, observations, options.seed);
  return options.candidates.empty() ? maximize(space, acquisition, random)
                                    : best_of(options.candidates, acquisition);
}

Point propose_random(const Space& space, int64_t index, uint64_t seed) {
  Random random(seed, 500'000 + static_cast<uint64_t>(index));
  return space.random(random);
}

std::vector<double> importance(const Space& space, const GaussianProcess& process) {
  constexpr int kSamples = 192, kGrid = 12;
  std::vector<std::vector<double>> units;
  double sum = 0, squares = 0;
  for (int i = 0; i < kSamples; ++i) {
    units.push_back(halton(i, space.size(), 1));
    const double value = process.mean(trial_features(space, space.from_unit(units.back()), 1));
    sum += value;
    squares += value * value;
  }
  const double mean = sum / kSamples, variance = squares / kSamples - mean * mean;
  std::vector<double> shares(space.size(), 0);
  if (variance <= 1e-15 * std::max(1.0, mean * mean)) return shares;
  for (size_t d = 0; d < space.size(); ++d) {
    double effect = 0;
    for (int g = 0; g < kGrid; ++g) {
      double conditional = 0;
      for (std::vector<double> unit : units) {
        unit[d] = (g + 0.5) / kGrid;
        conditional += process.mean(trial_features(space, space.from_unit(unit), 1));
      }
      conditional /= kSamples;
      effect += (conditional - mean) * (conditional - mean) / kGrid;
    }
    shares[d] = std::min(1.0, effect / variance);
  }
  return shares;
}

}  // namespace toolkit::search
