#include "core/model_store/fetch/patterns.h"

#include <doctest/doctest.h>

#include <string>

using toolkit::model_store::is_wanted;
using toolkit::model_store::matches_pattern;

namespace {

struct Case {
  const char *path, *pattern;
  bool matches;  // as Python's fnmatch.fnmatchcase says
};

constexpr Case kCases[] = {
    {"model.safetensors", "*.safetensors", true},
    {"onnx/model.onnx", "*.onnx", true},
    {"onnx/model.onnx", "onnx/*", true},
    {"a.json", "*.bin", false},
    {"a1", "a[0-9]", true},
    {"ab", "a[!0-9]", true},
    {"a]", "a[]]", true},
    {"a[", "a[", true},
    {"a-", "a[-x]", true},
    {"A.json", "a.json", false},
    {"", "*", true},
    {"", "?", false},
    {"abc", "a?c", true},
    {"\xC3\xA9.txt", "?.txt", true},
    {"aXbXc", "a*b*c", true},
    {"aXbXd", "a*b*c", false},
    {"a[b", "a[b", true},
    {"x", "[!]]", true},
    {"]", "[!]]", false},
    {"b", "[a-c]", true},
    {"d", "[a-c]", false},
    {"a*b", "a[*]b", true},
    {"axb", "a[*]b", false},
    {"^", "[^a]", true},
    {"b", "[^a]", false},
    {"b", "[z-a]", false},
    {"[]", "[]", true},
    {"\\", "\\", true},
    {"a.b", ".*", false},
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("patterns: match as Python's fnmatch does") {
    for (const Case& one : kCases) {
      CAPTURE(std::string(one.path));
      CAPTURE(std::string(one.pattern));
      CHECK(matches_pattern(one.path, one.pattern) == one.matches);
    }
    CHECK(matches_pattern("onnx/a/b.json", "onnx/"));  // a folder means what is in it
    CHECK_FALSE(matches_pattern("onnx2/b.json", "onnx/"));
    std::string many;
    for (int i = 0; i < 30; ++i) many += "*a";  // ends, and soon
    CHECK_FALSE(matches_pattern(std::string(300, 'a') + "b", many));
  }

  TEST_CASE("patterns: allowed by any, ignored by none") {
    CHECK(is_wanted("a.json", {}, {}));
    CHECK(is_wanted("a.json", {"*.bin", "*.json"}, {}));
    CHECK_FALSE(is_wanted("a.txt", {"*.bin", "*.json"}, {}));
    CHECK_FALSE(is_wanted("a.json", {"*.json"}, {"a.*"}));
    CHECK_FALSE(is_wanted("onnx/x.json", {}, {"onnx/"}));
  }
}
