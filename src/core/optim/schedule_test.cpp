#include "core/optim/schedule.h"

#include <doctest/doctest.h>

#include "core/base/error.h"

using namespace toolkit::optim;

TEST_SUITE("unit") {
  TEST_CASE("constant schedule keeps the peak after the warm-up") {
    const Schedule schedule{
        .decay = Decay::kConstant, .peak = 1e-3, .warmup_steps = 4, .total_steps = 10};
    CHECK(schedule.rate(1) == doctest::Approx(0.25e-3));
    CHECK(schedule.rate(4) == doctest::Approx(1e-3));
    CHECK(schedule.rate(5) == doctest::Approx(1e-3));
    CHECK(schedule.rate(10) == doctest::Approx(1e-3));
  }

  TEST_CASE("linear schedule falls evenly from the end of the warm-up to zero") {
    const Schedule schedule{
        .decay = Decay::kLinear, .peak = 1.0, .warmup_steps = 2, .total_steps = 10};
    CHECK(schedule.rate(2) == doctest::Approx(1.0));
    CHECK(schedule.rate(6) == doctest::Approx(0.5));
    CHECK(schedule.rate(10) == doctest::Approx(0.0));
  }

  TEST_CASE("cosine schedule is half way down in the middle and ends at the final share") {
    const Schedule schedule{.decay = Decay::kCosine,
                            .peak = 2.0,
                            .warmup_steps = 0,
                            .total_steps = 8,
                            .final_share = 0.1};
    CHECK(schedule.rate(4) == doctest::Approx(2.0 * (0.1 + 0.9 * 0.5)));
    CHECK(schedule.rate(8) == doctest::Approx(0.2));
    CHECK(schedule.rate(20) == doctest::Approx(0.2));  // beyond the end: stays there
  }

  TEST_CASE("WSD rises, stays at the peak and falls over its last share") {
    const Schedule schedule{.decay = Decay::kWsd,
                            .peak = 1.0,
                            .warmup_steps = 10,
                            .total_steps = 100,
                            .final_share = 0.1,
                            .decay_share = 0.2};
    CHECK(schedule.rate(5) == doctest::Approx(0.5));
    CHECK(schedule.rate(10) == doctest::Approx(1.0));
    CHECK(schedule.rate(80) == doctest::Approx(1.0));
    CHECK(schedule.rate(90) == doctest::Approx(0.55));
    CHECK(schedule.rate(100) == doctest::Approx(0.1));
    // A share that reaches into the warm-up decays over all that is left.
    Schedule early = schedule;
    early.decay_share = 1.0;
    CHECK(early.rate(10) == doctest::Approx(1.0));
    CHECK(early.rate(55) == doctest::Approx(0.55));
  }

  TEST_CASE("no schedule starts at zero or divides by zero") {
    for (Decay decay : {Decay::kConstant, Decay::kLinear, Decay::kCosine, Decay::kWsd}) {
      const Schedule one{.decay = decay, .peak = 1.0, .warmup_steps = 1, .total_steps = 1};
      CHECK(one.rate(1) == doctest::Approx(1.0));
      const Schedule only{.decay = decay, .peak = 1.0, .warmup_steps = 0, .total_steps = 1};
      CHECK(only.rate(1) == doctest::Approx(1.0));
      const Schedule none{.decay = decay, .peak = 1.0, .warmup_steps = 0, .total_steps = 5};
      CHECK(none.rate(1) > 0.5);
    }
  }

  TEST_CASE("names go both ways and a wrong one is refused") {
    CHECK(decay_from_name("linear") == Decay::kLinear);
    CHECK(decay_from_name("wsd") == Decay::kWsd);
    CHECK(std::string(decay_name(Decay::kCosine)) == "cosine");
    CHECK_THROWS_AS(decay_from_name("stairs"), toolkit::Error);
  }
}
