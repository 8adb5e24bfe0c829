#include "engine/search/space.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <utility>

#include "core/base/error.h"

namespace toolkit::search {

namespace {

bool is_number(const std::string& text, double& value) {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && rest == text.data() + text.size();
}

double normal(Random& random) {  // Box & Muller 1958
  const double radius = std::sqrt(-2 * std::log(1 - random.uniform()));
  return radius * std::cos(2 * std::numbers::pi * random.uniform());
}

void check(const Dimension& dimension) {
  if (dimension.kind == Dimension::Kind::kChoice) {
    if (dimension.choices.empty())
      fail(ErrorKind::kUserInput, "{}: no values to choose from", dimension.name);
    return;
  }
  if (!(dimension.low < dimension.high) || !std::isfinite(dimension.high - dimension.low))
    fail(ErrorKind::kUserInput, "{}: expected a range from low to high, found {} .. {}",
         dimension.name, dimension.low, dimension.high);
  if (dimension.logarithmic && dimension.low <= 0)
    fail(ErrorKind::kUserInput, "{}: a logarithmic range begins above 0, found {}", dimension.name,
         dimension.low);
}

}  // namespace

bool Dimension::ordered() const {
  double value = 0;
  return kind != Kind::kChoice ||
         (choices.size() > 1 && std::all_of(choices.begin(), choices.end(), [&](const auto& text) {
            return is_number(text, value);
          }));
}

Space::Space(std::vector<Dimension> dimensions) : dimensions_(std::move(dimensions)) {
  for (size_t i = 0; i < dimensions_.size(); ++i) {
    check(dimensions_[i]);
    const size_t count = dimensions_[i].ordered() ? 1 : dimensions_[i].choices.size();
    feature_dimensions_.insert(feature_dimensions_.end(), count, static_cast<int>(i));
  }
}

double Space::to_value(const Dimension& dimension, double unit) const {
  unit = std::clamp(unit, 0.0, 1.0);
  if (dimension.kind == Dimension::Kind::kChoice) {
    const auto count = static_cast<double>(dimension.choices.size());
    return std::min(std::floor(unit * count), count - 1);
  }
  const double low = dimension.low, high = dimension.high;
  const bool whole = dimension.kind == Dimension::Kind::kInteger;
  // Whole numbers own the half around them, so that both ends are as likely as the rest.
  const double from = whole ? low - 0.5 : low, to = whole ? high + 0.5 : high;
  double value = from + unit * (to - from);
  if (dimension.logarithmic)
    value = std::exp(std::log(whole ? low : from) +
                     unit * (std::log(whole ? high : to) - std::log(whole ? low : from)));
  return std::clamp(whole ? std::round(value) : value, low, high);
}

double Space::to_unit(const Dimension& dimension, double value) const {
  if (dimension.kind == Dimension::Kind::kChoice)
    return dimension.choices.size() < 2 ? 0
                                        : value / static_cast<double>(dimension.choices.size() - 1);
  if (dimension.logarithmic)
    return (std::log(value) - std::log(dimension.low)) /
           (std::log(dimension.high) - std::log(dimension.low));
  return (value - dimension.low) / (dimension.high - dimension.low);
}

Point Space::from_unit(const std::vector<double>& unit) const {
  Point point;
  for (size_t i = 0; i < size(); ++i) point.push_back(to_value(dimensions_[i], unit[i]));
  return point;
}

Point Space::random(Random& random) const {
  std::vector<double> unit(size());
  for (double& value : unit) value = random.uniform();
  return from_unit(unit);
}

Point Space::neighbour(const Point& point, double width, Random& random) const {
  Point moved = point;
  const size_t always = random.below(size());
  for (size_t i = 0; i < size(); ++i) {
    if (i != always && random.uniform() < 0.5) continue;
    const Dimension& dimension = dimensions_[i];
    if (!dimension.ordered()) {
      if (random.uniform() < std::max(width, 0.1))
        moved[i] = static_cast<double>(random.below(dimension.choices.size()));
      continue;
    }
    const double unit = to_unit(dimension, point[i]) + width * normal(random);
    if (dimension.kind == Dimension::Kind::kChoice) {
      const auto last = static_cast<double>(dimension.choices.size() - 1);
      moved[i] = std::clamp(std::round(unit * last), 0.0, last);
    } else {
      moved[i] = to_value(dimension, unit);
    }
  }
  return moved;
}

std::string Space::text(size_t dimension, double value) const {
  const Dimension& one = dimensions_[dimension];
  if (one.kind == Dimension::Kind::kChoice) return one.choices[static_cast<size_t>(value)];
  if (one.kind == Dimension::Kind::kInteger) return fmt::format("{:.0f}", value);
  return fmt::format("{:.4g}", value);
}

bool Space::parse(size_t dimension, const std::string& text, double& value) const {
  const Dimension& one = dimensions_[dimension];
  double wanted = 0;
  const bool number = is_number(text, wanted);
  if (one.kind != Dimension::Kind::kChoice) {
    if (number) value = std::clamp(wanted, one.low, one.high);
    return number;
  }
  for (size_t i = 0; i < one.choices.size(); ++i) {
    double choice = 0;
    if (one.choices[i] == text ||
        (number && is_number(one.choices[i], choice) && choice == wanted)) {
      value = static_cast<double>(i);
      return true;
    }
  }
  return false;
}

std::vector<double> Space::features(const Point& point) const {
  std::vector<double> features;
  for (size_t i = 0; i < size(); ++i) {
    const Dimension& dimension = dimensions_[i];
    if (dimension.ordered()) {
      features.push_back(to_unit(dimension, point[i]));
      continue;
    }
    for (size_t choice = 0; choice < dimension.choices.size(); ++choice)
      features.push_back(static_cast<size_t>(point[i]) == choice ? std::numbers::sqrt2 / 2 : 0);
  }
  return features;
}

std::vector<double> halton(int64_t index, size_t count, uint64_t seed) {
  constexpr int kPrimes[] = {2,  3,  5,  7,  11, 13, 17, 19, 23, 29, 31, 37,
                             41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89};
  if (count > std::size(kPrimes))
    fail(ErrorKind::kInternal, "halton: {} dimensions, at most {}", count, std::size(kPrimes));
  Random shift(seed, 7);
  std::vector<double> point(count);
  for (size_t i = 0; i < count; ++i) {
    double scale = 1, value = shift.uniform();
    for (int64_t rest = index + 1; rest > 0; rest /= kPrimes[i])
      value += static_cast<double>(rest % kPrimes[i]) * (scale /= kPrimes[i]);
    point[i] = value - std::floor(value);
  }
  return point;
}

}  // namespace toolkit::search
