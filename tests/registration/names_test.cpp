#include <doctest/doctest.h>

// ctest fails a test that runs no case or several, so each of these shows that its name arrives as
// it is written.
TEST_SUITE("unit") {
  TEST_CASE(
      "names: comma, semicolon; [brackets] \"quotes\" 'single' back\\slash <tag> & &amp; &#59; "
      "#hash (round)") {
    CHECK(true);
  }
  TEST_CASE("names: variables ${HOME} $ENV{HOME} @HOME@, wildcards * ? and %") {
    CHECK(true);
  }
  TEST_CASE("names: an open [bracket; and a backslash at the end \\") {
    CHECK(true);
  }
  TEST_CASE("names: letters beyond ASCII: λ, ü, 日本") {
    CHECK(true);
  }
}
