#include "engine/evaluate/judged_rows.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "core/base/error.h"
#include "core/base/testing.h"

namespace toolkit::engine {

namespace {

const std::string kModel = (std::filesystem::path(TOOLKIT_FIXTURES) / "models" / "llama").string();

const std::string kAnswered = R"({"prompt": "One", "completion": "Two three"})"
                              "\n";

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("judged rows are read up to the limit and no further") {
    const testing::TestingFolder folder;
    const auto file = folder.write("rows.jsonl", kAnswered + kAnswered + "broken\n" + kAnswered);
    const OpenedModel opened = open_language_model(kModel);
    int seen = 0;
    const JudgedRows two = read_judged_rows(
        file, opened.model, {.limit = 2, .visit = [&](const data::Row&) { ++seen; }});
    CHECK(two.samples.size() == 2);
    CHECK(seen == 2);
    CHECK_THROWS_WITH_AS(read_judged_rows(file, opened.model, {}),
                         doctest::Contains("rows.jsonl:3"), Error);
    folder.write("rows.jsonl", kAnswered + "broken\n" + kAnswered + "broken\n");
    CHECK_THROWS_WITH_AS(read_judged_rows(file, opened.model, {}),
                         doctest::Contains("(and 1 more bad rows"), Error);
  }

  TEST_CASE("judged rows whose answer was cut away are left out") {
    const testing::TestingFolder folder;
    std::string much = "x";
    for (int i = 0; i < 400; ++i) much += " and more";
    const auto file = folder.write(
        "rows.jsonl", kAnswered + R"({"prompt": ")" + much + R"(", "completion": "late"})" + "\n");
    const OpenedModel opened = open_language_model(kModel);
    const JudgedRows rows = read_judged_rows(file, opened.model, {.max_length = 96});
    CHECK(rows.samples.size() == 1);
    CHECK(rows.truncated == 1);
    CHECK(rows.left_out == 1);
    CHECK_THROWS_WITH_AS(read_judged_rows(file, opened.model, {.max_length = 4}),
                         doctest::Contains("within 4 tokens"), Error);
  }
}

}  // namespace toolkit::engine
