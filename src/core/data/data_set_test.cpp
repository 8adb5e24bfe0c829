#include "core/data/data_set.h"

#include <doctest/doctest.h>

#include <set>

#include "core/base/testing.h"

namespace toolkit::data {
namespace {

using std::string;

string rows_text(int first, int count) {
  string text;
  for (int i = first; i < first + count; ++i)
    text += "{\"text\":\"row " + std::to_string(i) + "\"}\n";
  return text;
}

std::vector<Row> rows_of(const RowSet& set) {
  std::vector<Row> rows;
  set.for_each([&](const Row& row) {
    rows.push_back(row);
    return true;
  });
  return rows;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("data set: a folder with splits") {
    const testing::TestingFolder folder;
    folder.write("train.jsonl", rows_text(0, 5) + "oops\n");
    folder.write("valid.jsonl", rows_text(5, 2));
    const Splits splits = read_data_set(folder.path);
    CHECK_EQ(splits.train.size(), 5);
    CHECK_EQ(splits.valid.size(), 2);
    CHECK(splits.test.empty());
    CHECK_EQ(splits.format, "text");
    CHECK_EQ(splits.files.size(), 2);
    REQUIRE_EQ(splits.bad.size(), 1);
    CHECK_EQ(splits.bad[0].file, (folder.path / "train.jsonl").string());
    CHECK_EQ(splits.bad[0].line, 6);
  }

  TEST_CASE("data set: one file gives up a share for validation, by the seed, none lost") {
    const testing::TestingFolder folder;
    const auto file = folder.write("all.jsonl", rows_text(0, 50));
    const Splits splits = read_data_set(file, {}, 0.2, 3);
    CHECK_EQ(splits.valid.size(), 10);
    CHECK_EQ(splits.train.size(), 40);
    std::set<string> seen;
    for (const Row& row : rows_of(splits.train)) seen.insert(row.text);
    for (const Row& row : rows_of(splits.valid)) seen.insert(row.text);
    CHECK_EQ(seen.size(), 50);

    const auto texts = [](const RowSet& rows) {
      std::vector<string> result;
      for (const Row& row : rows_of(rows)) result.push_back(row.text);
      return result;
    };
    CHECK(texts(read_data_set(file, {}, 0.2, 3).valid) == texts(splits.valid));
    CHECK(texts(read_data_set(file, {}, 0.2, 4).valid) != texts(splits.valid));
    CHECK(read_data_set(file, {}, 0.0).valid.empty());
    CHECK_EQ(read_data_set(file, {}, 1.0).train.size(), 1);
    CHECK_EQ(read_data_set(folder.write("two.jsonl", rows_text(0, 2)), {}, 0.1).valid.size(), 1);
    CHECK(read_data_set(folder.write("one.jsonl", rows_text(0, 1)), {}, 0.1).valid.empty());
  }

  TEST_CASE("data set: rows that ask the same stay on one side of the split") {
    const testing::TestingFolder folder;
    string rows;
    for (int i = 0; i < 60; ++i)
      rows +=
          fmt::format(R"({{"prompt":"question {}","completion":"answer {}"}})", i / 3, i) + "\n";
    const Splits splits = read_data_set(folder.write("all.jsonl", rows), {}, 0.2, 1);
    CHECK_EQ(splits.valid.size(), 12);
    std::set<string> asked;
    for (const Row& row : rows_of(splits.valid)) asked.insert(row.messages[0].content);
    CHECK_EQ(asked.size(), 4);
    for (const Row& row : rows_of(splits.train))
      CHECK_FALSE(asked.contains(row.messages[0].content));
  }

  TEST_CASE("data set: a folder of other kinds of files") {
    const testing::TestingFolder folder;
    folder.write("train.csv", "prompt,completion\nq,a\nr,b\n");
    folder.write("valid.json", R"([{"prompt":"s","completion":"c"}])");
    const Splits splits = read_data_set(folder.path);
    CHECK_EQ(splits.train.size(), 2);
    CHECK_EQ(splits.valid.at(0).messages[1].content, "c");
  }

  TEST_CASE("data set: nothing usable is an error that says why") {
    const testing::TestingFolder folder;
    CHECK_THROWS_WITH_AS(read_data_set(folder.path / "none"),
                         doctest::Contains("no such file or folder"), Error);
    CHECK_THROWS_WITH_AS(read_data_set(folder.path), doctest::Contains("expected train.jsonl"),
                         Error);
    CHECK_THROWS_WITH_AS(read_data_set(folder.write("empty.jsonl", "\n\n")),
                         doctest::Contains("no rows"), Error);
    CHECK_THROWS_WITH_AS(read_data_set(folder.write("bad.jsonl", "\na,b\nc,d\n")),
                         doctest::Contains("all 2 rows are bad, the first in line 2"), Error);
  }
}

}  // namespace toolkit::data
