#include "projects/data/survey.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/base/testing.h"
#include "projects/data/page.h"

namespace toolkit::data_check {
namespace {

using testing::contains;

// One token per character of the text; the second half is learned. "refuse" is refused.
data::Sample tokenize(const data::Row& row) {
  if (row.text == "refuse") fail(ErrorKind::kUserInput, "the template refuses it");
  data::Sample sample;
  sample.ids.assign(row.text.size(), 1);
  sample.supervised.assign(row.text.size(), false);
  for (size_t i = (row.text.size() + 1) / 2; i < row.text.size(); ++i) sample.supervised[i] = true;
  return sample;
}

std::string text_row(const std::string& text) {
  return "{\"text\":\"" + text + "\"}\n";
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("survey: bad, refused, cut, unlearnable and double rows, each with its line") {
    const testing::TestingFolder folder;
    folder.write("train.jsonl", text_row("abcdefgh") + "nonsense\n" + text_row("refuse") +
                                    text_row("abcdefghijklmnopqrst") + text_row("abcdefgh") +
                                    text_row("abcdefghijklmnopqrstuvwxyzabcdef"));
    folder.write("valid.jsonl", text_row("abcdefgh") + text_row("xy"));
    const Survey survey = make_survey(folder.path.string(), {}, 15, tokenize, true);

    REQUIRE_EQ(survey.splits.size(), 2);
    const SplitSurvey& train = survey.splits[0];
    CHECK_EQ(train.rows, 4);
    REQUIRE_EQ(train.bad.size(), 2);
    CHECK_EQ(train.bad[0].line, 2);
    CHECK_EQ(train.bad[1].line, 3);
    CHECK_EQ(train.bad[1].reason, "the template refuses it");
    CHECK(train.lengths == std::vector<int>{8, 20, 8, 32});
    CHECK(train.cut_lines == std::vector<int>{4, 6});
    CHECK(train.unsupervised_lines == std::vector<int>{6});
    CHECK_EQ(train.supervised, 4 + 5 + 4 + 0);
    REQUIRE_EQ(survey.duplicates.size(), 2);
    CHECK_EQ(survey.duplicates[0].again.line, 5);
    CHECK_EQ(survey.duplicates[1].again.split, 1);
    CHECK_EQ(survey.unusable(), 3);
    REQUIRE_FALSE(survey.packing.empty());
    CHECK_EQ(survey.packing[0].row_length, 256);
    CHECK_EQ(survey.packing[0].rows, 1);
    CHECK_EQ(survey.packing[0].filled, doctest::Approx((8 + 15 + 8 + 15) / 256.0));

    const std::string page = check_page(survey, 20);
    CHECK(contains(page, "train.jsonl:2: not valid JSON"));
    CHECK(contains(page, "train.jsonl:3: the template refuses it"));
    CHECK(
        contains(page, "2 rows of train.jsonl longer than 15 tokens and would be cut: line 4, 6"));
    CHECK(contains(page,
                   "1 row of train.jsonl with nothing to learn in the first 15 tokens: line 6"));
    CHECK(contains(page, "train.jsonl:5 is train.jsonl:1"));
    CHECK(contains(page, "valid.jsonl:1 is train.jsonl:1"));
    CHECK(contains(page, "Not ready: 3 rows cannot be used."));
    CHECK(contains(check_page(survey, 1), "and 1 more (--show, or --json for all)"));
    CHECK(contains(stats_page(survey), "packed to"));

    const nlohmann::json object = to_json(survey);
    CHECK_EQ(object["splits"][0]["bad_rows"][0]["line"], 2);
    CHECK_EQ(object["splits"][0]["length"]["max"], 32);
    CHECK_EQ(object["duplicates"][1]["line"], 1);
    CHECK_EQ(object["unusable_rows"], 3);
  }

  TEST_CASE("survey: without a model, characters are counted") {
    const testing::TestingFolder folder;
    const auto file = folder.write("rows.jsonl", text_row("äöü") + text_row("ab"));
    const Survey survey = make_survey(file.string(), {}, 1, {}, true);
    CHECK_FALSE(survey.tokens);
    CHECK(survey.splits[0].lengths == std::vector<int>{3, 2});
    CHECK_EQ(survey.unusable(), 0);
    CHECK(contains(check_page(survey, 20), "Every row can be read."));
    CHECK(contains(stats_page(survey), "characters"));
  }

  TEST_CASE("survey: named columns of a table, answers of one token, questions asked again") {
    const testing::TestingFolder folder;
    folder.write("train.csv", "q,a,text\nx,1,abcd\ny,2,ab\n");
    folder.write("valid.csv", "q,a,text\nx,3,abcd\n");
    const data::Columns columns({"prompt=q", "completion=a"});
    const auto two_learned = [](const data::Row&) {
      return data::Sample{.ids = {1, 2, 3}, .supervised = {false, true, true}};
    };
    const Survey survey = make_survey(folder.path.string(), columns, 8, two_learned, true);
    CHECK_EQ(survey.splits[0].format, "prompt/completion");
    CHECK_EQ(survey.splits[0].one_token_rows, 2);
    REQUIRE_EQ(survey.leaks.size(), 1);
    const std::string page = check_page(survey, 20);
    CHECK(contains(page, "valid.csv:2 asks what is asked in train.csv:2"));
    CHECK(contains(page, "Every answer of train.csv is a single token"));
    CHECK_EQ(to_json(survey)["leaks"][0]["first_line"], 2);
  }

  TEST_CASE("survey: an empty file is not ready, a missing one is an error") {
    const testing::TestingFolder folder;
    const Survey survey =
        make_survey(folder.write("rows.jsonl", "").string(), {}, 8, tokenize, true);
    CHECK(contains(check_page(survey, 20), "Not ready: there are no rows."));
    CHECK_THROWS_AS(make_survey((folder.path / "none").string(), {}, 8, tokenize, true), Error);
  }
}

}  // namespace toolkit::data_check
