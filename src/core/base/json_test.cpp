#include "core/base/json.h"

#include <doctest/doctest.h>

#include "core/base/error.h"

using toolkit::Error;
using toolkit::parse_json;

namespace {

std::string error_of(const std::string& text, int max_depth = 128) {
  try {
    parse_json(text, "rows.jsonl", max_depth);
  } catch (const Error& error) {
    CHECK(error.kind() == toolkit::ErrorKind::kUserInput);
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("json: values of every type arrive") {
    const auto value = parse_json(R"({"a": [1, -2, 2.5, true, null, "é\n"], "b": {}})", "x");
    CHECK(value.dump() == R"({"a":[1,-2,2.5,true,null,"é\n"],"b":{}})");
    CHECK(parse_json(" 18446744073709551615 ", "x").get<uint64_t>() == 18446744073709551615u);
  }

  TEST_CASE("json: nested containers keep their places") {
    CHECK(parse_json(R"([[1],{"a":[{"b":2},3]},[]])", "x").dump() ==
          R"([[1],{"a":[{"b":2},3]},[]])");
  }

  TEST_CASE("json: a syntax error names line, column, expected and found") {
    CHECK(error_of("{\n  \"a\": }") ==
          "rows.jsonl:2:8: expected '[', '{', or a literal, found '}'");
    CHECK(error_of("[1, 2").starts_with("rows.jsonl:1:6: expected "));
    CHECK(error_of("").find("end of input") != std::string::npos);
    CHECK(error_of("[1] x").starts_with("rows.jsonl:1:5: "));
    CHECK(error_of("[nope]").starts_with("rows.jsonl:1:3: "));
    CHECK(error_of("\"\xff\"").starts_with("rows.jsonl:1:2: "));
  }

  TEST_CASE("json: a key given twice is an error with its place") {
    CHECK(error_of("{\"a\": 1,\n \"a\": 2}") ==
          "rows.jsonl:2:4: expected each key once, found 'a' again");
    CHECK(error_of(R"({"a": {"b": 1}, "b": 1})") == "no error");
  }

  TEST_CASE("json: nesting is limited") {
    CHECK(error_of("[[[1]]]", 3) == "no error");
    CHECK(error_of("[[[1]]]", 2) == "rows.jsonl:1:3: expected at most 2 nested levels, found more");
    CHECK(error_of(std::string(1000000, '[')).find("128 nested levels") != std::string::npos);
  }
}
