#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <numeric>

#include "core/base/atomic_file.h"
#include "core/base/json.h"
#include "core/base/testing.h"
#include "engine/search/bayesian.h"

namespace toolkit::search {
namespace {

using Function = std::function<double(const Point&)>;

/// Branin: three minima of 0.397887 (Dixon & Szego 1978).
double branin(const Point& p) {
  const double x = p[0], y = p[1], pi = std::numbers::pi;
  const double bowl = y - 5.1 / (4 * pi * pi) * x * x + 5 / pi * x - 6;
  return bowl * bowl + 10 * (1 - 1 / (8 * pi)) * std::cos(x) + 10;
}

/// Hartmann's function of three variables, minimum -3.86278.
double hartmann3(const Point& p) {
  constexpr double weight[] = {1, 1.2, 3, 3.2};
  constexpr double a[4][3] = {{3, 10, 30}, {0.1, 10, 35}, {3, 10, 30}, {0.1, 10, 35}};
  constexpr double at[4][3] = {{0.3689, 0.1170, 0.2673},
                               {0.4699, 0.4387, 0.7470},
                               {0.1091, 0.8732, 0.5547},
                               {0.0381, 0.5743, 0.8828}};
  double sum = 0;
  for (int i = 0; i < 4; ++i) {
    double inside = 0;
    for (size_t j = 0; j < 3; ++j) inside += a[i][j] * (p[j] - at[i][j]) * (p[j] - at[i][j]);
    sum -= weight[i] * std::exp(-inside);
  }
  return sum;
}

Space box(size_t count, double low, double high) {
  std::vector<Dimension> dimensions;
  for (size_t i = 0; i < count; ++i)
    dimensions.push_back({.name = "x" + std::to_string(i), .low = low, .high = high});
  return Space(dimensions);
}

double best_found(const Space& space, const Function& function, int trials, uint64_t seed,
                  bool random) {
  std::vector<Observation> seen;
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < trials; ++i) {
    Point point = random ? propose_random(space, i, seed) : propose(space, seen, {.seed = seed});
    const double value = function(point);
    best = std::min(best, value);
    seen.push_back({.point = std::move(point), .value = value});
  }
  return best;
}

Space mixed() {
  return Space(
      {{.name = "rate", .low = 1e-5, .high = 1e-2, .logarithmic = true},
       {.name = "layers", .kind = Dimension::Kind::kInteger, .low = 1, .high = 30},
       {.name = "rank", .kind = Dimension::Kind::kChoice, .choices = {"4", "8", "16"}},
       {.name = "targets", .kind = Dimension::Kind::kChoice, .choices = {"all", "attention"}}});
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("search: a mixed space has features and texts and draws each value") {
    const Space space = mixed();
    CHECK(space.feature_dimensions() == std::vector<int>{0, 1, 2, 3, 3});
    const std::vector<double> features = space.features({1e-2, 30, 1, 0});
    CHECK(features[0] == doctest::Approx(1));
    CHECK(features[1] == doctest::Approx(1));
    CHECK(features[2] == doctest::Approx(0.5));
    CHECK(features[3] == doctest::Approx(std::numbers::sqrt2 / 2));
    CHECK(features[4] == 0);
    CHECK(space.text(0, 2e-4) == "0.0002");
    CHECK(space.text(2, 2) == "16");
    double value = 0;
    CHECK(space.parse(2, "8.0", value));
    CHECK(value == 1);
    CHECK(space.parse(3, "attention", value));
    CHECK_FALSE(space.parse(3, "nothing", value));
    CHECK(space.parse(0, "1", value));
    CHECK(value == 1e-2);
    Random random(1);
    std::vector<int> ranks(3), layers(31);
    double log_sum = 0;
    for (int i = 0; i < 3000; ++i) {
      const Point point = i % 2 ? space.random(random) : space.from_unit(halton(i / 2, 4, 5));
      log_sum += std::log10(point[0]);
      ++layers[static_cast<size_t>(point[1])];
      ++ranks[static_cast<size_t>(point[2])];
    }
    CHECK(log_sum / 3000 == doctest::Approx(-3.5).epsilon(0.02));
    for (const int count : ranks) CHECK(count > 850);
    CHECK(layers[1] > 50);
    CHECK(layers[30] > 50);
    CHECK(testing::contains(
        testing::refusal_of([] { Space({{.name = "lr", .low = 2, .high = 1}}); }), "lr"));
    CHECK(testing::contains(
        testing::refusal_of([] { Space({{.name = "lr", .low = 0, .logarithmic = true}}); }),
        "above 0"));
  }

  TEST_CASE("search: log expected improvement is exact near and far and falls with the mean") {
    // E[max(0, -x)] of a standard normal is phi(0).
    CHECK(log_expected_improvement(0, 0, 1) ==
          doctest::Approx(-0.5 * std::log(2 * std::numbers::pi)));
    CHECK(log_expected_improvement(5, 0, 1e-6) == doctest::Approx(std::log(5.0)));
    double before = log_expected_improvement(0, 0, 1);
    for (double mean = 0.25; mean < 60; mean += 0.25) {
      const double now = log_expected_improvement(0, mean, 1);
      CHECK(std::isfinite(now));
      CHECK(now < before);
      // No jump where the formula changes.
      CHECK(before - now < 0.3 * mean + 1);
      before = now;
    }
  }

  TEST_CASE("search: the likelihood's gradient is that of its values") {
    const std::vector<std::vector<double>> inputs = {
        {0.1, 0, 0.7}, {0.9, 0.7, 0}, {0.4, 0, 0.7}, {0.5, 0.7, 0}};
    const std::vector<double> targets = {0.3, -1, 0.9, 0.1};
    const std::vector<int> dimensions = {0, 1, 1};
    const KernelParameters at{.log_lengths = {-0.4, 0.3}, .log_signal = 0.2, .log_noise = -2};
    const std::vector<double> gradient =
        GaussianProcess(inputs, targets, dimensions, at).likelihood_gradient();
    for (size_t i = 0; i < 4; ++i) {
      const auto height = [&](double change) {
        KernelParameters moved = at;
        (i < 2 ? moved.log_lengths[i] : i == 2 ? moved.log_signal : moved.log_noise) += change;
        return GaussianProcess(inputs, targets, dimensions, moved).log_marginal_likelihood();
      };
      CHECK(gradient[i] == doctest::Approx((height(1e-5) - height(-1e-5)) / 2e-5).epsilon(1e-5));
    }
  }

  TEST_CASE("search: finds the minima of Branin and Hartmann and beats random points") {
    struct Case {
      Space space;
      Function function;
      double minimum, close;
    };
    const Space plane({{.name = "x", .low = -5, .high = 10}, {.name = "y", .low = 0, .high = 15}});
    for (const Case& one :
         {Case{plane, branin, 0.397887, 0.1}, Case{box(3, 0, 1), hartmann3, -3.86278, 0.1}}) {
      double ours = 0, random = 0;
      for (uint64_t seed = 0; seed < 2; ++seed) {
        ours += best_found(one.space, one.function, 28, seed, false) / 2;
        random += best_found(one.space, one.function, 28, seed, true) / 2;
      }
      CHECK(ours >= one.minimum - 1e-6);
      CHECK(ours < one.minimum + one.close);
      CHECK(ours < random);
    }
  }

  TEST_CASE("search: words and whole numbers and failed trials") {
    const Space space = mixed();
    const auto loss = [](const Point& p) {
      if (p[0] > 5e-3) return std::numeric_limits<double>::quiet_NaN();  // diverged
      return std::abs(std::log10(p[0]) + 3) + 0.02 * std::abs(p[1] - 20) + (p[3] == 1 ? 0.0 : 0.5);
    };
    std::vector<Observation> seen;
    double best = 100;
    for (int i = 0; i < 30; ++i) {
      const Point point = propose(space, seen, {.seed = 3});
      for (const Observation& one : seen) CHECK(one.point != point);
      const double value = loss(point);
      if (value < best) best = value;
      seen.push_back({.point = point, .value = value});
    }
    CHECK(best < 0.15);
    const std::vector<double> shares = importance(space, model_of(space, seen, 3));
    CHECK(shares[0] > shares[1]);
    CHECK(shares[2] < 0.1);  // the rank does nothing here
    CHECK(propose(space, seen, {.seed = 3}) == propose(space, seen, {.seed = 3}));
    // Of given candidates one that was not tried yet.
    const std::vector<Point> only = {seen[5].point, {1.2e-3, 19, 0, 1}, seen[9].point};
    CHECK(propose(space, seen, {.seed = 3, .candidates = only}) == only[1]);
  }

  TEST_CASE("search: short trials say where whole ones are good") {
    // Whole trials are lower by 1 and have the same best place.
    const Space line = box(1, 0, 1);
    const auto value = [](double x, double share) { return (x - 0.7) * (x - 0.7) * 4 - share; };
    std::vector<Observation> seen;
    for (int i = 0; i < 8; ++i)
      seen.push_back({{i / 8.0 + 0.03}, value(i / 8.0 + 0.03, 1.0 / 9), 1.0 / 9});
    seen.push_back({{0.03}, value(0.03, 1), 1});
    const Point next = propose(line, seen, {.initial = 3});
    CHECK(next[0] == doctest::Approx(0.7).epsilon(0.15));
  }
}

TEST_SUITE("reference") {
  TEST_CASE("search: posterior and likelihood are scikit-learn's") {
    const Json expected =
        Json::parse(read_file(std::string(TOOLKIT_FIXTURES) + "/search/gaussian_process.json"));
    KernelParameters parameters{.log_signal = std::log(expected["signal"].get<double>()),
                                .log_noise = std::log(expected["noise"].get<double>())};
    for (const double length : expected["lengths"])
      parameters.log_lengths.push_back(std::log(length));
    const GaussianProcess process(expected["inputs"], expected["targets"], {0, 1, 2}, parameters);
    CHECK(process.log_marginal_likelihood() ==
          doctest::Approx(expected["log_marginal_likelihood"].get<double>()).epsilon(1e-9));
    const std::vector<double> gradient = process.likelihood_gradient();
    for (size_t i = 0; i < gradient.size(); ++i)
      CHECK(gradient[i] == doctest::Approx(expected["gradient"][i].get<double>()).epsilon(1e-7));
    for (size_t i = 0; i < expected["queries"].size(); ++i) {
      const auto prediction = process.predict(expected["queries"][i]);
      CHECK(prediction.mean == doctest::Approx(expected["mean"][i].get<double>()).epsilon(1e-9));
      const double noisy =
          std::hypot(prediction.deviation, std::sqrt(expected["noise"].get<double>()));
      CHECK(noisy == doctest::Approx(expected["noisy_deviation"][i].get<double>()).epsilon(1e-9));
    }
  }
}

}  // namespace toolkit::search
