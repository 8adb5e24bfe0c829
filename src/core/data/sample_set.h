#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/data/samples.h"

namespace toolkit::data {

/// A token with its mark in one number: the id in the lower 31 bits, "supervised" in the highest.
constexpr uint32_t marked_token(int32_t id, bool supervised) {
  return static_cast<uint32_t>(id) | (supervised ? 0x80000000u : 0u);
}

/// One sample of a SampleSet; valid as long as the set or a copy of it.
class SampleView {
 public:
  SampleView(std::span<const uint32_t> marked_tokens, int supervised_count, int line)
      : tokens_(marked_tokens.data()),
        size_(static_cast<int32_t>(marked_tokens.size())),
        supervised_count_(supervised_count),
        line_(line) {}

  int size() const { return size_; }
  int32_t id(int i) const { return static_cast<int32_t>(tokens_[i] & 0x7FFFFFFFu); }
  bool supervised(int i) const { return (tokens_[i] & 0x80000000u) != 0; }
  int supervised_count() const { return supervised_count_; }
  int line() const { return line_; }

  /// Its first tokens, at most `length`.
  SampleView cut(int length) const;

 private:
  const uint32_t* tokens_;
  int32_t size_, supervised_count_, line_;
};

/// The samples of a run: 24 bytes for each, and tokens that lie in memory or in a mapped file.
/// Copies share the tokens; a sample may stand in a set more than once.
class SampleSet {
 public:
  SampleSet() = default;
  /// Copies the tokens. Throws Error(kInternal) for a sample whose marks do not match its ids.
  SampleSet(std::span<const Sample> samples);  // NOLINT(google-explicit-constructor)
  SampleSet(const std::vector<Sample>& samples) : SampleSet(std::span(samples)) {}  // NOLINT
  /// Views into tokens that `owner` keeps alive.
  SampleSet(std::vector<SampleView> views, std::shared_ptr<const void> owner);

  size_t size() const { return views_.size(); }
  bool empty() const { return views_.empty(); }
  const SampleView& operator[](size_t index) const { return views_[index]; }
  auto begin() const { return views_.begin(); }
  auto end() const { return views_.end(); }

  /// The samples cut to `length` tokens, without those that have nothing to learn then; the tokens
  /// are shared.
  SampleSet cut(int length) const;

  /// Adds samples of another set, in the order of `indices`, without copying tokens.
  void append(const SampleSet& other, std::span<const int> indices);

  int64_t tokens() const;
  int64_t supervised_tokens() const;

 private:
  std::vector<SampleView> views_;
  std::vector<std::shared_ptr<const void>> owners_;
};

}  // namespace toolkit::data
