#pragma once

#include <string>
#include <vector>

#include "core/base/random.h"

namespace toolkit::search {

/// One setting that is searched.
struct Dimension {
  enum class Kind { kReal, kInteger, kChoice };

  std::string name;
  Kind kind = Kind::kReal;
  double low = 0, high = 1;
  bool logarithmic = false;
  std::vector<std::string> choices;  // of kChoice, in their order if they have one

  /// Numbers as choices ("4", "8", "16") have an order, words have none.
  bool ordered() const;
};

/// A value for every dimension: the number itself, or the index of a choice.
using Point = std::vector<double>;

class Space {
 public:
  /// Throws Error(kUserInput) naming a dimension whose range is empty, or not above 0 though
  /// logarithmic.
  explicit Space(std::vector<Dimension> dimensions);

  const std::vector<Dimension>& dimensions() const { return dimensions_; }
  size_t size() const { return dimensions_.size(); }

  /// From coordinates in [0, 1), each value as likely as any other (in the logarithm where that is
  /// asked for).
  Point from_unit(const std::vector<double>& unit) const;
  Point random(Random& random) const;
  /// Moves one to all coordinates by normal steps of `width` (of the unit cube); choices are drawn
  /// anew with that probability.
  Point neighbour(const Point& point, double width, Random& random) const;
  /// The values as a command takes them: "0.0002", "16", "attention".
  std::string text(size_t dimension, double value) const;
  /// The nearest value to what a text says; false if it is none.
  bool parse(size_t dimension, const std::string& text, double& value) const;

  /// Coordinates of a kernel: [0, 1] for numbers and ordered choices, one per choice (1/sqrt(2) at
  /// the chosen one, so that two choices are 1 apart) for words.
  std::vector<double> features(const Point& point) const;
  /// Which dimension each feature belongs to.
  const std::vector<int>& feature_dimensions() const { return feature_dimensions_; }

 private:
  double to_unit(const Dimension& dimension, double value) const;
  double to_value(const Dimension& dimension, double unit) const;

  std::vector<Dimension> dimensions_;
  std::vector<int> feature_dimensions_;
};

/// Point `index` of a low-discrepancy sequence in [0, 1)^count (Halton 1960, shifted at random as
/// Cranley & Patterson 1976 do); count at most 24.
std::vector<double> halton(int64_t index, size_t count, uint64_t seed);

}  // namespace toolkit::search
