#include "core/files/safe_path.h"

#include <doctest/doctest.h>

#include <string>

#include "core/base/testing.h"

using namespace toolkit::files;
using toolkit::testing::contains;
using toolkit::testing::refusal_of;

TEST_SUITE("unit") {
  TEST_CASE("safe_path: names that models really have") {
    for (const char* name :
         {"config.json", "onnx/model.onnx", "a/b/c/d.safetensors", ".gitattributes", "..a", "a..b",
          "model-00001-of-00002.safetensors", "größe/模型.gguf", "with blank.txt", "-dash", "ab:c",
          "console.log", "nullable", "common", "com10", "~/x", "...a"})
      CHECK_MESSAGE(why_unsafe_path(name) == "", std::string(name));
    CHECK(why_unsafe_path(std::string(255, 'a')) == "");
  }

  TEST_CASE("safe_path: what could leave the folder or harm a system is refused with its reason") {
    const std::pair<std::string, const char*> cases[] = {
        {"", "is empty"},
        {"/etc/passwd", "absolute"},
        {"//server/share", "absolute"},
        {"..", "part '..'"},
        {"../x", "part '..'"},
        {"a/../../x", "part '..'"},
        {"a/..", "part '..'"},
        {".", "part '.'"},
        {"a/./b", "part '.'"},
        {"a//b", "empty part"},
        {"a/", "empty part"},
        {"C:/x", "drive"},
        {"c:x", "drive"},
        {"\\\\server\\share", "'\\'"},
        {"a\\..\\b", "'\\'"},
        {std::string("a\0b", 3), "control"},
        {"a\nb", "control"},
        {"a\x1b[2J", "control"},
        {"a\x7f", "control"},
        {"a\xc2\x9b", "control"},  // CSI as one character
        {"txt.\xe2\x80\xae"
         "fdp",
         "control"},  // right-to-left override
        {"a\xff", "UTF-8"},
        {"a\xc0\xaf..", "UTF-8"},    // overlong '/'
        {"a\xed\xa0\x80", "UTF-8"},  // surrogate
        {"a\xf4\x90\x80\x80", "UTF-8"},
        {"a\xe2\x82", "UTF-8"},  // cut
        {"name.", "dot or blank"},
        {"name ", "dot or blank"},
        {"a /b", "dot or blank"},
        {"...", "dot or blank"},
        {"NUL", "device"},
        {"a/con.txt", "device"},
        {"Lpt1.gguf", "device"},
        {".mlx-cache-0011", "begins with '.mlx-cache-'"},
        {"a/.MLX-cache-x/b", "begins with '.mlx-cache-'"},
        {std::string(256, 'a'), "256 bytes"},
        {std::string(300, 'a') + "/b", "300 bytes"}};
    for (const auto& [path, reason] : cases)
      CHECK_MESSAGE(contains(why_unsafe_path(path), reason), escaped(path), ": ",
                    why_unsafe_path(path));
    std::string deep = "a";
    while (deep.size() <= 1024) deep += "/a";
    CHECK(contains(why_unsafe_path(deep), "at most 1024"));
  }

  TEST_CASE("safe_path: our own temporary names are for us only") {
    CHECK(why_unsafe_own_path("a/.mlx-cache-0011") == "");
    CHECK(contains(why_unsafe_own_path("../.mlx-cache-0011"), "'..'"));
  }

  TEST_CASE("safe_path: the error names the place and shows the name harmlessly") {
    check_relative_path("config.json", "org/model");
    CHECK(refusal_of([] { check_relative_path("a\x1b[31m/b", "org/model"); }) ==
          "org/model: file name 'a\\x1b[31m/b': has control characters");
    const std::string longest =
        refusal_of([] { check_relative_path(std::string(5000, 'a'), "org/model"); });
    CHECK(longest.size() < 300);
    CHECK(contains(longest, "aaa...': has 5000 bytes"));
  }

  TEST_CASE("safe_path: folded for case-insensitive disks") {
    CHECK(folded_path("Model/README.md") == folded_path("model/Readme.MD"));
    CHECK(folded_path("Ä") == "Ä");
  }

  TEST_CASE("safe_path: escaped keeps text and shows what steers a terminal") {
    CHECK(escaped("größe 模型.gguf") == "größe 模型.gguf");
    CHECK(escaped("a\r\n\tb") == "a\\x0d\\x0a\\x09b");
    CHECK(escaped("\x1b]0;x\x07") == "\\x1b]0;x\\x07");
    CHECK(escaped("\xc2\x9b"
                  "2J") == "\\xc2\\x9b2J");
    CHECK(escaped("\xff\xfe") == "\\xff\\xfe");
    CHECK(escaped("\xe2\x80\xae") == "\\xe2\\x80\\xae");
    CHECK(escaped("") == "");
  }
}
