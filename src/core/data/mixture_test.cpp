#include "core/data/mixture.h"

#include <doctest/doctest.h>

#include <fstream>
#include <set>

#include "core/base/error.h"
#include "core/base/testing.h"

using namespace toolkit;
using namespace toolkit::data;
namespace fs = std::filesystem;

namespace {

struct Scratch {
  const toolkit::testing::TestingFolder own;
  fs::path write(const std::string& name, int rows) const {
    fs::create_directories((own.path / name).parent_path());
    std::ofstream file(own.path / name);
    for (int i = 0; i < rows; ++i)
      file << R"({"prompt": ")" << name << ' ' << i << R"(", "completion": "a"})" << "\n";
    return own.path / name;
  }
};

std::string refusal(const std::string& text) {
  try {
    parse_mixture(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::vector<std::string> questions_of(const RowSet& rows) {
  std::vector<std::string> questions;
  rows.for_each([&](const Row& row) {
    questions.push_back(row.messages[0].content);
    return true;
  });
  return questions;
}

size_t rows_of(const RowSet& rows, const std::string& name) {
  const std::vector<std::string> questions = questions_of(rows);
  return static_cast<size_t>(
      std::count_if(questions.begin(), questions.end(),
                    [&](const std::string& question) { return question.starts_with(name); }));
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("mixtures: names and weights") {
    const Scratch scratch;
    const auto parts = parse_mixture("a.jsonl:0.7, b/c.jsonl:3");
    REQUIRE(parts.size() == 2);
    CHECK(parts[0].path == "a.jsonl");
    CHECK(parts[0].weight == 0.7);
    CHECK(parts[1].path == "b/c.jsonl");
    CHECK(parts[1].weight == 3);
    CHECK(parse_mixture("a.jsonl,b.jsonl")[1].weight == 0);
    CHECK(parse_mixture("C:rows.jsonl")[0].path == "C:rows.jsonl");
    // A file of that very name is meant.
    const fs::path odd = scratch.write("x,y:0.5", 1);
    REQUIRE(parse_mixture(odd.string()).size() == 1);
    CHECK(parse_mixture(odd.string())[0].path == odd);

    CHECK(refusal("a.jsonl:0.7,b.jsonl").find("1 of 2") != std::string::npos);
    CHECK(refusal("a.jsonl:0,b.jsonl:1").find("above 0") != std::string::npos);
    CHECK(refusal("a.jsonl:-1,b.jsonl:1").find("above 0") != std::string::npos);
    CHECK(refusal("a.jsonl,,b.jsonl").find("missing beside a comma") != std::string::npos);
  }

  TEST_CASE("mixtures: weights are kept without using a row twice") {
    const Scratch scratch;
    const std::string a = scratch.write("a.jsonl", 100), b = scratch.write("b.jsonl", 100);
    std::vector<MixedPart> mixed;
    const Splits splits =
        read_mixture(parse_mixture(a + ":0.75," + b + ":0.25"), Columns(), 0.2, 5, &mixed);
    CHECK(rows_of(splits.train, "a.jsonl") == 80);
    CHECK(rows_of(splits.train, "b.jsonl") == 27);
    CHECK(splits.valid.size() == 40);
    REQUIRE(mixed.size() == 2);
    CHECK(mixed[1].rows == 80);
    CHECK(mixed[1].used == 27);
    CHECK(splits.files.size() == 2);
    const std::vector<std::string> questions = questions_of(splits.train);
    CHECK(std::set(questions.begin(), questions.end()).size() == splits.train.size());

    const auto picked = [&](uint64_t seed) {
      return questions_of(
          read_mixture(parse_mixture(a + ":0.75," + b + ":0.25"), Columns(), 0, seed).train);
    };
    CHECK(picked(5) == picked(5));
    CHECK(picked(5) != picked(6));
  }

  TEST_CASE("mixtures: without weights every row is there, and folders bring their own splits") {
    const Scratch scratch;
    const std::string a = scratch.write("a.jsonl", 10);
    scratch.write("folder/train.jsonl", 30);
    scratch.write("folder/valid.jsonl", 4);
    const std::string folder = (scratch.own.path / "folder").string();
    const Splits splits = read_mixture(parse_mixture(a + "," + folder), Columns(), 0.1, 1);
    CHECK(splits.train.size() == 39);
    CHECK(splits.valid.size() == 5);
  }
}
