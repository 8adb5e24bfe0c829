#include "engine/search/gaussian_process.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <utility>

#include "core/base/error.h"
#include "core/base/random.h"

namespace toolkit::search {

namespace {

using Vector = std::vector<double>;

constexpr double kLengthDeviation = std::numbers::sqrt3;
constexpr double kNoiseMean = -4, kNoiseDeviation = 1;
constexpr double kSignalDeviation = 1;
constexpr double kLowest = -12, kHighest = 8;  // of all logarithms

/// Factors a symmetric matrix in place into its lower triangle; false if it is not positive
/// definite.
bool factorize(Vector& matrix, size_t n) {
  for (size_t j = 0; j < n; ++j) {
    for (size_t i = j; i < n; ++i) {
      double sum = matrix[i * n + j];
      for (size_t k = 0; k < j; ++k) sum -= matrix[i * n + k] * matrix[j * n + k];
      if (i > j) {
        matrix[i * n + j] = sum / matrix[j * n + j];
      } else if (sum > 1e-14) {
        matrix[j * n + j] = std::sqrt(sum);
      } else {
        return false;
      }
    }
  }
  return true;
}

void solve_lower(const Vector& factor, Vector& x) {
  const size_t n = x.size();
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < i; ++k) x[i] -= factor[i * n + k] * x[k];
    x[i] /= factor[i * n + i];
  }
}

void solve_upper(const Vector& factor, Vector& x) {
  const size_t n = x.size();
  for (size_t i = n; i-- > 0;) {
    for (size_t k = i + 1; k < n; ++k) x[i] -= factor[k * n + i] * x[k];
    x[i] /= factor[i * n + i];
  }
}

KernelParameters unpacked(const Vector& all) {
  return {.log_lengths = Vector(all.begin(), all.end() - 2),
          .log_signal = all[all.size() - 2],
          .log_noise = all[all.size() - 1]};
}

double length_mean(size_t dimensions) {
  return std::numbers::sqrt2 + 0.5 * std::log(static_cast<double>(dimensions));
}

/// Log density of the parameters before any data, its gradient added to `gradient`.
double log_prior(const Vector& parameters, Vector& gradient) {
  const size_t lengths = parameters.size() - 2;
  double sum = 0;
  const auto add = [&](size_t i, double mean, double deviation) {
    const double z = (parameters[i] - mean) / deviation;
    sum -= 0.5 * z * z;
    gradient[i] -= z / deviation;
  };
  for (size_t i = 0; i < lengths; ++i) add(i, length_mean(lengths), kLengthDeviation);
  add(lengths, 0, kSignalDeviation);
  add(lengths + 1, kNoiseMean, kNoiseDeviation);
  return sum;
}

/// Climbs by the signs of the gradient (iRprop-, Igel & Huesken 2000); the best place seen.
template <class Evaluate>  // (const Vector& x, Vector& gradient) -> height
Vector climb(Vector x, int iterations, const Evaluate& evaluate, double& best) {
  Vector step(x.size(), 0.2), before(x.size(), 0), gradient(x.size()), best_x = x;
  for (int iteration = 0; iteration < iterations; ++iteration) {
    const double height = evaluate(x, gradient);
    if (height > best) {
      best = height;
      best_x = x;
    }
    for (size_t i = 0; i < x.size(); ++i) {
      const double agreement = gradient[i] * before[i];
      if (agreement > 0) step[i] = std::min(step[i] * 1.2, 1.0);
      if (agreement < 0) {
        step[i] = std::max(step[i] * 0.5, 1e-5);
        gradient[i] = 0;
      }
      const double sign = gradient[i] > 0 ? 1 : gradient[i] < 0 ? -1 : 0;
      x[i] = std::clamp(x[i] + sign * step[i], kLowest, kHighest);
      before[i] = gradient[i];
    }
  }
  return best_x;
}

}  // namespace

GaussianProcess::GaussianProcess(std::vector<Vector> inputs, Vector targets,
                                 std::vector<int> dimensions, KernelParameters parameters)
    : inputs_(std::move(inputs)),
      targets_(std::move(targets)),
      dimensions_(std::move(dimensions)),
      parameters_(std::move(parameters)) {
  const size_t n = inputs_.size();
  // Points that nearly coincide can need more noise than was asked for.
  for (double extra = 0; extra < 1; extra = extra == 0 ? 1e-10 : extra * 100) {
    factor_.assign(n * n, 0);
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j <= i; ++j)
        factor_[i * n + j] = factor_[j * n + i] = covariance(inputs_[i], inputs_[j]);
      factor_[i * n + i] += std::exp(parameters_.log_noise) + extra;
    }
    if (!factorize(factor_, n)) continue;
    weights_ = targets_;
    solve_lower(factor_, weights_);
    solve_upper(factor_, weights_);
    return;
  }
  fail(ErrorKind::kInternal, "Gaussian process: the covariance of {} points is not positive", n);
}

double GaussianProcess::covariance(const Vector& a, const Vector& b) const {
  double squares = 0;
  for (size_t f = 0; f < a.size(); ++f) {
    const double length = std::exp(parameters_.log_lengths[static_cast<size_t>(dimensions_[f])]);
    squares += (a[f] - b[f]) * (a[f] - b[f]) / (length * length);
  }
  const double scaled = std::sqrt(5 * squares);
  return std::exp(parameters_.log_signal - scaled) * (1 + scaled + scaled * scaled / 3);
}

Vector GaussianProcess::covariances(const Vector& input) const {
  Vector values(inputs_.size());
  for (size_t i = 0; i < values.size(); ++i) values[i] = covariance(inputs_[i], input);
  return values;
}

double GaussianProcess::mean(const Vector& input) const {
  const Vector values = covariances(input);
  return offset_ + scale_ * std::inner_product(values.begin(), values.end(), weights_.begin(), 0.0);
}

GaussianProcess::Prediction GaussianProcess::predict(const Vector& input) const {
  Vector values = covariances(input);
  Prediction prediction;
  prediction.mean =
      offset_ + scale_ * std::inner_product(values.begin(), values.end(), weights_.begin(), 0.0);
  solve_lower(factor_, values);
  const double explained = std::inner_product(values.begin(), values.end(), values.begin(), 0.0);
  prediction.deviation =
      scale_ * std::sqrt(std::max(std::exp(parameters_.log_signal) - explained, 1e-12));
  return prediction;
}

double GaussianProcess::log_marginal_likelihood() const {
  const size_t n = inputs_.size();
  double value = -0.5 * static_cast<double>(n) * std::log(2 * std::numbers::pi);
  for (size_t i = 0; i < n; ++i)
    value -= 0.5 * targets_[i] * weights_[i] + std::log(factor_[i * n + i]);
  return value;
}

Vector GaussianProcess::likelihood_gradient() const {
  const size_t n = inputs_.size(), lengths = parameters_.log_lengths.size();
  Vector inverse(n * n);
  for (size_t i = 0; i < n; ++i) {
    Vector column(n, 0);
    column[i] = 1;
    solve_lower(factor_, column);
    solve_upper(factor_, column);
    for (size_t j = 0; j < n; ++j) inverse[j * n + i] = column[j];
  }
  Vector gradient(lengths + 2, 0), squares(lengths);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) {
      const double outer = 0.5 * (weights_[i] * weights_[j] - inverse[i * n + j]);
      std::fill(squares.begin(), squares.end(), 0);
      for (size_t f = 0; f < dimensions_.size(); ++f) {
        const double difference = inputs_[i][f] - inputs_[j][f];
        squares[static_cast<size_t>(dimensions_[f])] += difference * difference;
      }
      double sum = 0;
      for (size_t d = 0; d < lengths; ++d)
        sum += squares[d] *= std::exp(-2 * parameters_.log_lengths[d]);
      const double scaled = std::sqrt(5 * sum);
      const double decay = std::exp(parameters_.log_signal - scaled);
      for (size_t d = 0; d < lengths; ++d)
        gradient[d] += outer * decay * 5.0 / 3 * (1 + scaled) * squares[d];
      gradient[lengths] += outer * decay * (1 + scaled + scaled * scaled / 3);
      if (i == j) gradient[lengths + 1] += outer * std::exp(parameters_.log_noise);
    }
  }
  return gradient;
}

GaussianProcess GaussianProcess::fit(std::vector<Vector> inputs, Vector targets,
                                     std::vector<int> dimensions, uint64_t seed) {
  const auto count = static_cast<double>(targets.size());
  const double offset = std::accumulate(targets.begin(), targets.end(), 0.0) / count;
  double squares = 0;
  for (const double target : targets) squares += (target - offset) * (target - offset);
  const double scale = squares > 0 ? std::sqrt(squares / count) : 1;
  for (double& target : targets) target = (target - offset) / scale;

  const auto lengths =
      static_cast<size_t>(*std::max_element(dimensions.begin(), dimensions.end()) + 1);
  const auto evaluate = [&](const Vector& x, Vector& gradient) {
    const GaussianProcess process(inputs, targets, dimensions, unpacked(x));
    gradient = process.likelihood_gradient();
    return process.log_marginal_likelihood() + log_prior(x, gradient);
  };
  Random random(seed, 11);
  double best = -std::numeric_limits<double>::infinity();
  Vector best_x;
  const int starts = targets.size() > 100 ? 1 : 3, iterations = targets.size() > 100 ? 40 : 70;
  for (int start = 0; start < starts; ++start) {
    Vector x(lengths, start == 0 ? length_mean(lengths) - 1 : 0);
    for (double& length : x) length += start == 0 ? 0 : 3 * random.uniform() - 2;
    x.push_back(0);
    x.push_back(kNoiseMean - start);
    const double before = best;
    Vector found = climb(std::move(x), iterations, evaluate, best);
    if (best > before) best_x = std::move(found);
  }
  GaussianProcess process(std::move(inputs), std::move(targets), std::move(dimensions),
                          unpacked(best_x));
  process.offset_ = offset;
  process.scale_ = scale;
  return process;
}

}  // namespace toolkit::search
