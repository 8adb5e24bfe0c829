#include "engine/batch/batch_engine.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "core/base/testing.h"
#include "engine/batch/collector_for_tests.h"

namespace toolkit::engine {

namespace {

using testing::contains;

/// Only even tokens, and only so many of them.
class EvenTokens : public text::TokenConstraint {
 public:
  explicit EvenTokens(int count) : left_(count) {}
  void allowed(std::span<uint32_t> bits) override {
    for (uint32_t& word : bits) word = left_ > 0 ? 0x55555555u : 0u;
  }
  void accept(int32_t id) override {
    REQUIRE(id % 2 == 0);
    --left_;
  }
  bool complete() const override { return left_ == 0; }

 private:
  int left_;
};

/// Exactly these tokens; whether it says so ahead is the test's to choose.
class TheseTokens : public text::TokenConstraint {
 public:
  TheseTokens(std::vector<int32_t> ids, bool tells) : ids_(std::move(ids)), tells_(tells) {}
  void allowed(std::span<uint32_t> bits) override {
    std::fill(bits.begin(), bits.end(), 0u);
    const auto id = static_cast<size_t>(ids_[next_]);
    bits[id / 32] |= 1u << (id % 32);
  }
  void accept(int32_t id) override {
    REQUIRE(id == ids_[next_]);
    ++next_;
  }
  std::vector<int32_t> forced(size_t most) const override {
    const size_t end = std::min(ids_.size(), next_ + (tells_ ? most : 0));
    return {ids_.begin() + static_cast<std::ptrdiff_t>(next_),
            ids_.begin() + static_cast<std::ptrdiff_t>(end)};
  }
  bool complete() const override { return next_ == ids_.size(); }

 private:
  std::vector<int32_t> ids_;
  bool tells_;
  size_t next_ = 0;
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a constraint is obeyed and ends the text when it is complete") {
    BatchEngine engine(tiny_language_model(), {});
    BatchRequest request = greedy(12, 20);
    request.constraint = std::make_shared<EvenTokens>(5);
    const Heard heard = alone(engine, request);
    CHECK(*heard.finish == FinishReason::kStopToken);
    CHECK(heard.tokens.size() == 5);
    for (const int32_t id : ids_of(heard)) CHECK(id % 2 == 0);
    request.constraint = std::make_shared<EvenTokens>(0);
    const Heard impossible = alone(engine, request);
    CHECK(*impossible.finish == FinishReason::kError);
    CHECK(contains(impossible.error, "grammar"));
  }

  TEST_CASE("what a constraint forces is computed many tokens at a time and says the same") {
    for (const bool kernels : {true, false}) {
      tensor::use_plain_graph(!kernels);
      BatchEngine engine(tiny_language_model(), {});
      BatchRequest request = greedy(1, 99);
      const auto forced = [&](bool tells) {
        request.constraint = std::make_shared<TheseTokens>(tiny_prompt(100, 20), tells);
        const uint64_t before = engine.state().steps;
        const Heard heard = alone(engine, request);
        CHECK(ids_of(heard).size() == 99);
        return std::pair(heard, state_after(engine, 1).steps - before);
      };
      const auto [slow, many] = forced(false);
      const auto [quick, few] = forced(true);
      CHECK(few < 6);
      for (size_t i = 0; i < slow.tokens.size(); ++i)
        CHECK(quick.tokens[i].token.logprob ==
              doctest::Approx(slow.tokens[i].token.logprob).epsilon(1e-4));
      CHECK(engine.state().draft_tokens == 0);
    }
    tensor::use_plain_graph(false);
  }
}

}  // namespace toolkit::engine
