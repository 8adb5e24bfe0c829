#include "core/data/duplicates.h"

#include <doctest/doctest.h>

namespace toolkit::data {
namespace {

Row chat(int line, const std::string& question, const std::string& answer) {
  Row row;
  row.messages = {{"user", question, ""}, {"assistant", answer, ""}};
  row.line = line;
  return row;
}

Row plain(int line, const std::string& text) {
  Row row;
  row.text = text;
  row.line = line;
  return row;
}

std::vector<std::vector<RowKey>> keys_of(const std::vector<std::vector<Row>>& splits) {
  std::vector<std::vector<RowKey>> keys;
  for (const std::vector<Row>& rows : splits) {
    keys.emplace_back();
    for (const Row& row : rows) keys.back().push_back(row_key(row));
  }
  return keys;
}

std::vector<Duplicate> search(
    const std::vector<std::vector<Row>>& splits,
    std::vector<Duplicate> (*find)(std::span<const std::span<const RowKey>>)) {
  const std::vector<std::vector<RowKey>> keys = keys_of(splits);
  return find(std::vector<std::span<const RowKey>>(keys.begin(), keys.end()));
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("duplicates: white space aside, within and between splits") {
    const std::vector<std::vector<Row>> splits = {
        {chat(1, "a b", "c"), chat(2, "a  b\n", " c "), chat(3, "ab", "c"), chat(5, "a b", "C")},
        {chat(9, "a b", "c"), chat(10, "new", "c")}};
    const auto found = search(splits, find_duplicates);
    REQUIRE_EQ(found.size(), 2);
    CHECK_EQ(found[0].first.line, 1);
    CHECK_EQ(found[0].again.line, 2);
    CHECK_EQ(found[0].again.split, 0);
    CHECK_EQ(found[1].first.line, 1);
    CHECK_EQ(found[1].first.split, 0);
    CHECK_EQ(found[1].again.split, 1);
    CHECK_EQ(found[1].again.line, 9);
  }

  TEST_CASE("leaks: a question of the first split asked again in another with another answer") {
    const std::vector<std::vector<Row>> splits = {
        {chat(1, "a b", "c"), chat(2, "a b", "d"), plain(3, "text")},
        {chat(1, "a  b", "c"), chat(2, "a b\n", "e"), chat(3, "new", "c"), plain(4, "text")}};
    const auto found = search(splits, find_leaks);
    REQUIRE_EQ(found.size(), 1);
    CHECK_EQ(found[0].first.line, 1);
    CHECK_EQ(found[0].again.split, 1);
    CHECK_EQ(found[0].again.line, 2);
  }

  TEST_CASE("duplicates: parts do not run into one another, roles and tools count") {
    Row swapped = chat(2, "a", "b");
    swapped.messages[0].role = "system";
    Row tools = chat(3, "a", "b");
    tools.tools_json = "[1]";
    const std::vector<std::vector<Row>> splits = {{chat(1, "a", "b"), swapped, tools,
                                                   chat(4, "a b", "."), plain(5, "a b"),
                                                   plain(6, "ab"), plain(7, "a\tb")}};
    const auto found = search(splits, find_duplicates);
    REQUIRE_EQ(found.size(), 1);
    CHECK_EQ(found[0].first.line, 5);
    CHECK_EQ(found[0].again.line, 7);
  }
}

}  // namespace toolkit::data
