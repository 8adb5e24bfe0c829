#include "core/text/json_scanner.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

namespace toolkit::text {
namespace {

/// How many bytes until the value is closed; 0: not closed; -1: no JSON.
int closed_at(const std::string& text) {
  JsonScanner scanner;
  for (size_t i = 0; i < text.size(); ++i) {
    const JsonScanner::Status status = scanner.feed(text[i]);
    if (status == JsonScanner::Status::kDone) return static_cast<int>(i) + 1;
    if (status == JsonScanner::Status::kBad) return -1;
  }
  return 0;
}

TEST_SUITE("unit") {
  TEST_CASE("a value is closed by its last byte") {
    for (const std::string text :
         {R"({})", R"([])", R"({"a": 1})", R"({"a": [true, false, null, -0.5e+3, 0, 12.25]})",
          R"({"a": "x\"}\\", "b": {"c": []}, "d": "\u00e9 \/"})", " \n[ { } , [ ] , \"]\" ] ",
          R"([1,"a",{"b":2}])"}) {
      CAPTURE(text);
      CHECK(nlohmann::json::accept(text));
      CHECK(closed_at(text + "}}") == static_cast<int>(text.find_last_not_of(' ')) + 1);
    }
    CHECK(closed_at(R"({"a": "no end)") == 0);
    CHECK(closed_at(R"({"a": 12)") == 0);
  }

  TEST_CASE("what is no JSON is seen where it stops to be") {
    for (const std::string text :
         {"x",     "]",      "{1: 2}",     "{\"a\" 1}", "{\"a\": }",     "{\"a\": 1,}",
          "[1,]",  "[1 2]",  "[01]",       "[1.]",      "[-]",           "[1e]",
          "[tru]", "[True]", "{\"a\": 1]", "[\"\\x\"]", "[\"\\u00g0\"]", "[\"a\nb\"]",
          "{,}",   "[,1]",   "{'a': 1}"}) {
      CAPTURE(text);
      CHECK_FALSE(nlohmann::json::accept(text));
      CHECK(closed_at(text) == -1);
    }
    CHECK(closed_at("1") == -1);  // no object or list
    CHECK(closed_at("\"a\"") == -1);
    CHECK(closed_at(std::string(1000, '[')) == -1);
  }
}

}  // namespace
}  // namespace toolkit::text
