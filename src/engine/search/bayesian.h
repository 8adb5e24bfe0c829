#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/search/gaussian_process.h"
#include "engine/search/space.h"

namespace toolkit::search {

/// What a trial gave. Smaller is better; a value that is not finite is a failed trial.
struct Observation {
  Point point;
  double value = 0;
  double share = 1;  // of a whole trial's steps
};

struct ProposeOptions {
  int initial = 6;  // points of a low-discrepancy sequence before the model is asked
  uint64_t seed = 0;
  std::span<const Point> candidates = {};  // only these may be proposed; empty: the whole space
};

/// The next point to try: the largest expected improvement of a whole trial (Jones, Schonlau &
/// Welch 1998) over the best mean of the points tried, under a Gaussian process over the settings
/// and the share of the steps, so that short trials teach about whole ones (as Klein et al. 2017,
/// arXiv:1605.07079, do with shares of the data). Improvement is compared by its logarithm (Ament
/// et al. 2023, arXiv:2310.20708). A function of its arguments: a search that was killed goes on as
/// if it had not been.
Point propose(const Space& space, std::span<const Observation> observations,
              const ProposeOptions& options);

/// A point of the space at random, number `index` of this seed: what `propose` must beat.
Point propose_random(const Space& space, int64_t index, uint64_t seed);

/// The process that `propose` asks. Losses far above the median are cut (a run that diverged says
/// that it is bad, not how bad). At least one observation must be finite.
GaussianProcess model_of(const Space& space, std::span<const Observation> observations,
                         uint64_t seed);

/// Features of a point at a share of the steps, for the process of model_of.
std::vector<double> trial_features(const Space& space, const Point& point, double share);

/// log of E[max(0, best - f)] for f ~ N(mean, deviation^2).
double log_expected_improvement(double best, double mean, double deviation);

/// Which share of the variance of the process's mean over the whole space each dimension explains
/// alone: first-order indices of Sobol' 1993, from values averaged over the other dimensions (the
/// main effects that Hutter, Hoos & Leyton-Brown 2014 take from a forest). What is missing to 1 is
/// interaction.
std::vector<double> importance(const Space& space, const GaussianProcess& process);

}  // namespace toolkit::search
