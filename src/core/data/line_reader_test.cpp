#include "core/data/line_reader.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "core/base/testing.h"

namespace toolkit::data {
namespace {

std::vector<Line> lines_of(const std::string& content, size_t limit = 1000) {
  const testing::TestingFolder folder;
  LineReader reader(folder.write("a.jsonl", content), limit);
  std::vector<Line> lines;
  for (Line line; reader.next(line);) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("lines: LF, CRLF, byte order mark, blank lines, no newline at the end") {
    const auto lines = lines_of(
        "\xef\xbb\xbf"
        "a\r\n\nb\n  c");
    REQUIRE_EQ(lines.size(), 4);
    CHECK_EQ(lines[0].text, "a");
    CHECK_EQ(lines[1].text, "");
    CHECK_EQ(lines[2].text, "b");
    CHECK_EQ(lines[3].text, "  c");
    CHECK_EQ(lines[3].number, 4);
    CHECK(lines[2].ended);
    CHECK_FALSE(lines[3].ended);
    CHECK(lines_of("").empty());
    CHECK_EQ(lines_of("\n").size(), 1);
  }

  TEST_CASE("lines: longer than the buffer, and longer than the limit without being kept") {
    const std::string body(700000, 'x');
    const auto lines = lines_of(body + "\nnext\n", 1000000);
    REQUIRE_EQ(lines.size(), 2);
    CHECK_EQ(lines[0].text, body);
    CHECK_FALSE(lines[0].too_long);
    CHECK_EQ(lines[1].text, "next");

    const auto cut = lines_of(body + "\nnext\n", 5000);
    REQUIRE_EQ(cut.size(), 2);
    CHECK(cut[0].too_long);
    CHECK_EQ(cut[0].text.size(), 5000);
    CHECK_EQ(cut[1].text, "next");
    CHECK_EQ(cut[1].number, 2);
    CHECK_FALSE(cut[1].too_long);
  }

  TEST_CASE("lines: what is not a text file is refused with the reason") {
    const testing::TestingFolder folder;
    CHECK_THROWS_WITH_AS(LineReader(folder.path / "none.jsonl"), doctest::Contains("no such file"),
                         Error);
    CHECK_THROWS_WITH_AS(LineReader(folder.path), doctest::Contains("found a folder"), Error);
    CHECK_THROWS_WITH_AS(LineReader(folder.write("a.gz", "\x1f\x8b\x08")),
                         doctest::Contains("gzip"), Error);
    CHECK_THROWS_WITH_AS(LineReader(folder.write("a.zip", "PK\x03\x04")), doctest::Contains("zip"),
                         Error);
    CHECK_THROWS_WITH_AS(LineReader(folder.write("a.utf16", "\xff\xfe{")),
                         doctest::Contains("UTF-16"), Error);
    const auto pipe = folder.path / "pipe";
    REQUIRE_EQ(mkfifo(pipe.c_str(), 0600), 0);
    CHECK_THROWS_WITH_AS(LineReader{pipe}, doctest::Contains("pipe"), Error);
    const auto loop = folder.path / "loop";
    std::filesystem::create_symlink(loop, loop);
    CHECK_THROWS_AS(LineReader{loop}, Error);
  }
}

}  // namespace toolkit::data
