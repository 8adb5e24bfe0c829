#include "core/data/row_source.h"

#include <doctest/doctest.h>

#include "core/base/atomic_file.h"
#include "core/base/json.h"
#include "core/base/testing.h"
#include "core/data/chat_rows.h"
#include "core/data/columns.h"

namespace toolkit::data {
namespace {

using std::string;

const std::filesystem::path kFixtures = std::filesystem::path(TOOLKIT_FIXTURES) / "data";

Json expected() {
  static const Json json = Json::parse(read_file(kFixtures / "expected.json"));
  return json;
}

std::vector<SourceRow> rows_of(const std::filesystem::path& path) {
  const auto source = open_row_source(path);
  std::vector<SourceRow> rows;
  for (SourceRow row; source->next(row);) rows.push_back(row);
  return rows;
}

std::vector<SourceRow> rows_of(const string& name, const string& content) {
  const testing::TestingFolder folder;
  return rows_of(folder.write(name, content));
}

Json objects_of(const std::vector<SourceRow>& rows) {
  Json list = Json::array();
  for (const SourceRow& row : rows) {
    INFO(row.line, row.problem);
    CHECK(row.problem.empty());
    list.push_back(Json::parse(row.object.dump()));
  }
  return list;
}

Json without_nulls(Json value) {
  for (auto& member : value) {
    if (member.is_structured()) member = without_nulls(member);
  }
  if (value.is_object()) {
    for (auto member = value.begin(); member != value.end();)
      member = member->is_null() ? value.erase(member) : std::next(member);
  }
  return value;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("csv: cells in quotes over lines, and blank lines between records") {
    const auto rows = rows_of("a.csv",
                              "\xef\xbb\xbfq,a\r\n\"x, \"\"y\"\"\",1\r\n\n\"two\r\nlines\","
                              "\"\"\n,\"\n\"\n");
    REQUIRE_EQ(rows.size(), 3);
    CHECK_EQ(rows[0].object.dump(), R"({"q":"x, \"y\"","a":"1"})");
    CHECK_EQ(rows[1].object.dump(), R"({"q":"two\nlines","a":""})");
    CHECK_EQ(rows[1].line, 4);
    CHECK_EQ(rows[2].object.dump(), R"({"q":"","a":"\n"})");
    CHECK_EQ(rows[2].line, 6);
    CHECK(rows_of("a.csv", "").empty());
    CHECK(rows_of("a.csv", "q,a\n").empty());
    CHECK_EQ(rows_of("a.tsv", "q\ta\n1,2\t3").at(0).object.dump(), R"({"q":"1,2","a":"3"})");
  }

  TEST_CASE("csv: a broken record says what and where, and the next ones are read") {
    const auto rows = rows_of("a.csv", "q,a\n1\n1,2,3\n\"x\"y,2\nx\"y,2\n3,4\n\"open,\n5,6\n");
    REQUIRE_EQ(rows.size(), 6);
    CHECK(testing::contains(rows[0].problem, "expected 2 cells as in the header, found 1"));
    CHECK(testing::contains(rows[1].problem, "found 3"));
    CHECK(testing::contains(rows[2].problem, "line 4, column 4: found text behind the quote"));
    CHECK(testing::contains(rows[3].problem, "line 5, column 2: found a quote inside a cell"));
    CHECK_EQ(rows[4].object.dump(), R"({"q":"3","a":"4"})");
    CHECK_EQ(rows[5].line, 7);
    CHECK(testing::contains(rows[5].problem, "the file ends inside a quoted cell"));
    CHECK_THROWS_WITH_AS(rows_of("a.csv", "q,q\n1,2\n"), doctest::Contains("'q' twice"), Error);
  }

  TEST_CASE("json: an array on one line or many, each row with its line") {
    const auto rows = rows_of("a.json", "[ {\"a\": \"]},[\\\"\"},\n\n{\"b\":\n[1, {}]} ,{}]\n");
    REQUIRE_EQ(rows.size(), 3);
    CHECK_EQ(rows[0].object.dump(), R"({"a":"]},[\""})");
    CHECK_EQ(rows[0].line, 1);
    CHECK_EQ(rows[1].object.dump(), R"({"b":[1,{}]})");
    CHECK_EQ(rows[1].line, 3);
    CHECK_EQ(rows[2].line, 4);
    CHECK(rows_of("a.json", "[]").empty());
    CHECK(rows_of("a.jsonl", " [\n]\n").empty());
    CHECK_EQ(rows_of("a.json", "{\"a\":1}\n{\"a\":2}\n").size(), 2);  // lines under another name
  }

  TEST_CASE("json: broken elements, a cut array and text behind it are named") {
    const auto rows = rows_of("a.json", "[{\"a\":1},\n{\"a\" 2},\n{},,\n{\"a\":3},]");
    REQUIRE_EQ(rows.size(), 6);
    CHECK(testing::contains(rows[1].problem, "not valid JSON"));
    CHECK_EQ(rows[1].line, 2);
    CHECK(rows[2].problem.empty());
    CHECK_FALSE(rows[3].problem.empty());
    CHECK_EQ(rows[4].object.dump(), R"({"a":3})");
    CHECK_FALSE(rows[5].problem.empty());
    const auto cut = rows_of("a.json", "[{\"a\":1},{\"a\":");
    REQUIRE_EQ(cut.size(), 2);
    CHECK(testing::contains(cut[1].problem, "ends in the middle"));
    const auto more = rows_of("a.json", "[{\"a\":1}]\n\n[{}]");
    REQUIRE_EQ(more.size(), 2);
    CHECK(testing::contains(more[1].problem, "behind the array"));
    CHECK_EQ(more[1].line, 3);
  }

  TEST_CASE("parquet: what is none is refused with the reason") {
    const testing::TestingFolder folder;
    const string whole = read_file(kFixtures / "rows_plain.parquet");
    CHECK_THROWS_WITH_AS(open_row_source(folder.write("a.parquet", "PAR1")),
                         doctest::Contains("too few"), Error);
    CHECK_THROWS_WITH_AS(open_row_source(folder.write("b.parquet", whole.substr(0, 300))),
                         doctest::Contains("cut off"), Error);
    CHECK_THROWS_WITH_AS(
        open_row_source(folder.write("c.parquet", "PAR1" + string("\xff\xff\xff\x7fPAR1", 8))),
        doctest::Contains("footer claims"), Error);
    CHECK_THROWS_WITH_AS(open_row_source(folder.path / "none.parquet"),
                         doctest::Contains("no such file"), Error);
    string broken = whole;  // a page's header in the first row group
    for (size_t i = 4; i < 40; ++i) broken[i] = '\xff';
    const auto rows = rows_of(folder.write("d.parquet", broken));
    REQUIRE_FALSE(rows.empty());
    CHECK_FALSE(rows.back().problem.empty());
  }

  TEST_CASE("data files are found by name, one of a kind") {
    const testing::TestingFolder folder;
    CHECK(find_data_file(folder.path, "train").empty());
    folder.write("train.csv", "");
    CHECK_EQ(find_data_file(folder.path, "train").filename(), "train.csv");
    folder.write("train.jsonl", "");
    CHECK_THROWS_WITH_AS(find_data_file(folder.path, "train"),
                         doctest::Contains("train.jsonl and train.csv"), Error);
  }

  TEST_CASE("columns: names for a file's own, nested ones too, and nothing else is read") {
    const testing::TestingFolder folder;
    const auto file =
        folder.write("a.jsonl", R"({"q":"2+2?","a":{"text":"4"},"messages":5,"a.b":"dotted"})"
                                "\n{\"other\":1}\n");
    const ReadResult result =
        read_rows(file, Columns({"prompt=q", "completion=a.text", "system=none"}));
    REQUIRE_EQ(result.rows.size(), 1);
    CHECK_EQ(result.format, "prompt/completion");
    CHECK_EQ(result.rows[0].messages[1].content, "4");
    REQUIRE_EQ(result.bad.size(), 1);
    CHECK(testing::contains(result.bad[0].reason, "expected the columns of --columns"));
    CHECK(testing::contains(result.bad[0].reason, "found other"));
    CHECK_EQ(read_rows(file, Columns({"text=a.b"})).rows.at(0).text, "dotted");
    CHECK_THROWS_WITH_AS(Columns({"promt=q"}), doctest::Contains("Did you mean 'prompt'"), Error);
    CHECK_THROWS_AS(Columns({"prompt"}), Error);
    CHECK_THROWS_WITH_AS(Columns({"text=a", "text=b"}), doctest::Contains("twice"), Error);
  }

  TEST_CASE("csv: a cell may hold the messages as JSON") {
    const testing::TestingFolder folder;
    const auto file = folder.write(
        "a.csv",
        "messages,tools\n\"[{\"\"role\"\":\"\"user\"\",\"\"content\"\":\"\"q\"\"},{\"\"role\"\":"
        "\"\"assistant\"\",\"\"content\"\":\"\"a\"\"}]\",\"[{\"\"b\"\":1,\"\"a\"\":2}]\"\n");
    const ReadResult result = read_rows(file);
    INFO("reason: ", result.bad.empty() ? "" : result.bad[0].reason);
    REQUIRE_EQ(result.rows.size(), 1);
    CHECK_EQ(result.rows[0].messages[1].content, "a");
    CHECK_EQ(result.rows[0].tools_json, R"([{"b":1,"a":2}])");  // in the order written
  }
}

TEST_SUITE("reference") {
  TEST_CASE("files of pandas and pyarrow hold what they wrote") {
    CHECK(objects_of(rows_of(kFixtures / "rows.csv")) == expected()["table"]);
    CHECK(objects_of(rows_of(kFixtures / "rows.tsv")) == expected()["table"]);
    for (const char* name :
         {"rows_plain.parquet", "rows_snappy.parquet", "rows_zstd.parquet", "rows_gzip.parquet"}) {
      CAPTURE(name);
      CHECK(objects_of(rows_of(kFixtures / name)) == expected()["chats"]);
    }
    CHECK(without_nulls(objects_of(rows_of(kFixtures / "rows.json"))) == expected()["chats"]);
    CHECK(without_nulls(objects_of(rows_of(kFixtures / "rows_indented.json"))) ==
          expected()["chats"]);
  }

  TEST_CASE("rows of messages are the same from parquet and json") {
    const ReadResult parquet = read_rows(kFixtures / "rows_zstd.parquet");
    const ReadResult json = read_rows(kFixtures / "rows_indented.json");
    REQUIRE_EQ(parquet.rows.size(), 3);
    REQUIRE_EQ(json.rows.size(), 3);
    CHECK_EQ(parquet.rows[2].line, 3);
    for (size_t i = 0; i < 3; ++i) {
      REQUIRE_EQ(parquet.rows[i].messages.size(), 2);
      for (size_t k = 0; k < 2; ++k) {
        const text::Message &a = parquet.rows[i].messages[k], &b = json.rows[i].messages[k];
        CHECK_EQ(a.role + a.content, b.role + b.content);
        // pyarrow's structs have an order of members of their own
        CHECK(Json::parse("[" + a.extra_json + "]") == Json::parse("[" + b.extra_json + "]"));
      }
    }
    CHECK(testing::contains(parquet.rows[1].messages[1].extra_json,
                            R"("arguments":{"city":"Oslo","days":2})"));
  }
}

}  // namespace toolkit::data
