#include "core/data/row_set.h"

#include <doctest/doctest.h>

#include "core/base/testing.h"

namespace toolkit::data {
namespace {

std::string lines(int first, int count) {
  std::string text;
  for (int i = first; i < first + count; ++i)
    text += "{\"text\":\"row " + std::to_string(i) + "\"}\n";
  return text;
}

std::vector<std::string> texts_of(const RowSet& set) {
  std::vector<std::string> texts;
  set.for_each([&](const Row& row) {
    texts.push_back(row.text);
    return true;
  });
  return texts;
}

RowSet scanned(const std::filesystem::path& file) {
  std::vector<BadRow> bad;
  return RowSet::scan(file, {}, bad);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("row set: usable rows of every kind of file again and again") {
    const testing::TestingFolder folder;
    std::vector<BadRow> bad;
    const RowSet set =
        RowSet::scan(folder.write("a.jsonl", lines(0, 2) + "oops\n" + lines(2, 2)), {}, bad);
    CHECK_EQ(set.size(), 4);
    REQUIRE_EQ(bad.size(), 1);
    CHECK_EQ(bad[0].line, 3);
    const std::vector<std::string> expected = {"row 0", "row 1", "row 2", "row 3"};
    CHECK(texts_of(set) == expected);
    CHECK(texts_of(set) == expected);
    CHECK(texts_of(scanned(folder.write("a.csv", "text\nrow 0\nrow 1\nrow 2\nrow 3\n"))) ==
          expected);
    CHECK(texts_of(scanned(folder.write("a.json", R"([{"text":"row 0"}, {"text":"row 1"},
        {"text":"row 2"}, {"text":"row 3"}])"))) == expected);
    CHECK_EQ(set.at(3).text, "row 3");
    CHECK_EQ(set.at(3).line, 5);
    CHECK_EQ(set.keys()[3].line, 5);
  }

  TEST_CASE("row set: marked rows of several files in order, and marked again") {
    const testing::TestingFolder folder;
    RowSet set = scanned(folder.write("a.jsonl", lines(0, 4)));
    set.append(scanned(folder.write("b.jsonl", lines(4, 3))));
    const RowSet some = set.chosen({false, true, true, false, false, true, true});
    CHECK(texts_of(some) == std::vector<std::string>{"row 1", "row 2", "row 5", "row 6"});
    const RowSet fewer = some.chosen({false, true, false, true});
    CHECK(texts_of(fewer) == std::vector<std::string>{"row 2", "row 6"});
    CHECK_EQ(fewer.at(1).text, "row 6");
    REQUIRE_EQ(fewer.keys().size(), 2);
    CHECK_EQ(fewer.keys()[1].said, row_key(fewer.at(1)).said);
    CHECK_EQ(some.chosen({false, false, true, true}).sources().size(), 1);
  }

  TEST_CASE("row set: a file that changes meanwhile is told") {
    const testing::TestingFolder folder;
    const RowSet set = scanned(folder.write("a.jsonl", lines(0, 3)));
    for (const std::string& now : {lines(0, 2), lines(0, 4)}) {
      folder.write("a.jsonl", now);
      CHECK_THROWS_WITH_AS(texts_of(set), doctest::Contains("changed while it was read"), Error);
    }
  }
}

}  // namespace toolkit::data
