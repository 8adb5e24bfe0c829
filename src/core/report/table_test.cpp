#include "core/report/table.h"

#include <doctest/doctest.h>

#include "core/report/text_width.h"

using namespace toolkit::report;

TEST_SUITE("unit") {
  TEST_CASE("table: text aligns numbers right and counts columns, not bytes") {
    const Table table{{"name", "tokens/s", "note"},
                      {{"größe", "1,612", "a"}, {"日本", "9.5", ""}, {"x", "-", "last"}}};
    CHECK(to_text(table) ==
          "name   tokens/s  note\n"
          "─────  ────────  ────\n"
          "größe     1,612  a\n"
          "日本        9.5\n"
          "x             -  last\n");
  }

  TEST_CASE("table: units are numbers, words and dates are not") {
    const Table table{{"a", "b", "c"},
                      {{"1.4 GB", "2026-11-21", "4 layers of 5"}, {"81 %", "x", "y"}}};
    CHECK(to_text(table) ==
          "     a  b           c\n"
          "──────  ──────────  ─────────────\n"
          "1.4 GB  2026-11-21  4 layers of 5\n"
          "  81 %  x           y\n");
  }

  TEST_CASE("table: markdown escapes bars") {
    CHECK(to_markdown({{"a", "n"}, {{"x|y", "2"}}}) ==
          "| a    | n |\n| ---- | -:|\n| x\\|y | 2 |\n");
  }

  TEST_CASE("table: csv quotes what needs it") {
    CHECK(to_csv({{"a", "b"}, {{"1,5", "say \"hi\""}, {"x"}}}) ==
          "a,b\r\n\"1,5\",\"say \"\"hi\"\"\"\r\nx,\r\n");
  }

  TEST_CASE("table: short rows and empty tables are fine") {
    CHECK(to_text({}) == "");
    CHECK(to_text({{"a", "b"}, {{"1"}}}) == "a  b\n─  ─\n1\n");
  }

  TEST_CASE("text_width: combining, wide and malformed text") {
    CHECK(display_width("e\u0301") == 1);
    CHECK(display_width("日本🙂") == 6);
    CHECK(display_width("\xff\xe6") == 2);
  }
}
