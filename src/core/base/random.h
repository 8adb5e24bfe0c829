#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace toolkit {

/// Pseudo-random numbers that are the same on every machine and with every standard library: what a
/// seed promises. splitmix64 (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195).
class Random {
 public:
  /// `stream` separates uses of one seed (initial weights, order of epoch 3, ...).
  explicit Random(uint64_t seed, uint64_t stream = 0) : state_(mix(seed) ^ mix(~stream)) {}

  uint64_t next() { return mix(state_ += 0x9E3779B97F4A7C15ull); }

  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }  // [0, 1)

  /// Whole number in [0, count), every one equally likely.
  uint64_t below(uint64_t count) {
    const uint64_t limit = UINT64_MAX - UINT64_MAX % count;
    uint64_t value = next();
    while (value >= limit) value = next();
    return value % count;
  }

  template <class T>
  void shuffle(std::vector<T>& values) {
    for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
  }

 private:
  static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  uint64_t state_;
};

}  // namespace toolkit
