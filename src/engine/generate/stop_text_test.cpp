#include "engine/generate/stop_text.h"

#include <doctest/doctest.h>

namespace toolkit::engine {

TEST_SUITE("unit") {
  TEST_CASE("a stop string is found across pieces and never shown") {
    StopText stops({"\nUser:", "###"});
    CHECK(stops.push("Hello") == "Hello");
    CHECK(stops.push(" there\nUs") == " there");
    CHECK(stops.push("e") == "");
    CHECK_FALSE(stops.found());
    CHECK(stops.push("r: next") == "");
    CHECK(stops.found());
    CHECK(stops.push("more") == "");
    CHECK(stops.finish() == "");
  }

  TEST_CASE("what only looked like a stop string is shown after all") {
    StopText stops({"abc"});
    CHECK(stops.push("xab") == "x");
    CHECK(stops.push("ab") == "ab");
    CHECK(stops.finish() == "ab");
    CHECK_FALSE(stops.found());
  }

  TEST_CASE("the earliest of several wins") {
    StopText stops({"two", "one"});
    CHECK(stops.push("a one two") == "a ");
    CHECK(stops.found());
  }

  TEST_CASE("no stop strings: everything passes") {
    StopText stops({""});
    CHECK(stops.push("abc") == "abc");
    CHECK_FALSE(stops.found());
  }
}

}  // namespace toolkit::engine
