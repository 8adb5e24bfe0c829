#include "engine/evaluate/scores.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/base/testing.h"
#include "engine/evaluate/answer_match.h"

namespace toolkit::engine {

namespace {

bool same(const MatchRules& rules, const std::string& said, const std::string& answer) {
  return AnswerMatcher(rules).matches(said, std::vector<std::string>{answer});
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("scores: a mean has the error of its sample and a paired gain a smaller one") {
    const std::vector<double> before = {1, 0, 1, 1, 0, 0, 1, 0}, after = {1, 1, 1, 1, 0, 1, 1, 0};
    const Score score = mean_score(before);
    CHECK(score.value == 0.5);
    CHECK(score.error == doctest::Approx(std::sqrt(8 * 0.25 / 7 / 8)));
    const Score gain = mean_gain(before, after);
    CHECK(gain.value == 0.25);
    CHECK(gain.error < score.error);
    CHECK(mean_score({}).error == 0);
    CHECK(mean_score(std::vector<double>{1}).error == 0);
    CHECK_THROWS_AS(mean_gain(before, std::vector<double>{1}), Error);
    CHECK(clear_sign({.value = 0.2, .error = 0.05}) == 1);
    CHECK(clear_sign({.value = -0.2, .error = 0.05}) == -1);
    CHECK(clear_sign({.value = 0.2, .error = 0.2}) == 0);
    CHECK(clear_sign({}) == 0);
  }

  TEST_CASE("answer match: what was said is compared as the rules say") {
    CHECK(same({}, " 42\n", "42"));
    CHECK_FALSE(same({}, "42.", "42"));
    CHECK(same({.ignore_punctuation = true}, "42.", "42"));
    CHECK_FALSE(same({}, "Paris", "paris"));
    CHECK(same({.ignore_case = true}, "PARIS", "Paris"));
    CHECK(same({.pattern = "answer is (\\d+)"}, "So the answer is 17, I think.", "17"));
    CHECK(same({.pattern = "\\d+"}, "It is 17.", "17"));
    CHECK_FALSE(same({.pattern = "answer is (\\d+)"}, "It is 17.", "17"));
    CHECK_FALSE(same({.pattern = "answer is (\\d*)"}, "answer is none", ""));
    CHECK(AnswerMatcher({}).matches("b", std::vector<std::string>{"a", "b"}));
    CHECK(AnswerMatcher({.pattern = "(a+)+$"}).answer_in(std::string(100000, ' ')) == "");
    CHECK(testing::contains(testing::refusal_of([] { AnswerMatcher({.pattern = "(oh"}); }),
                            "'(oh' is no regular expression"));
  }
}

}  // namespace toolkit::engine
