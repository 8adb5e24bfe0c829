#include "projects/cache/transfer_lines.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "core/base/testing.h"

using toolkit::cache::transfer_bar;
using toolkit::cache::transfer_text;
using toolkit::cache::TransferLine;
using toolkit::cache::TransferRate;
using toolkit::testing::contains;

namespace {

long columns(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("transfer_lines: done, whole, share, speed and time left") {
    const TransferLine line{"a.gguf", 600'000'000, 2'400'000'000, 90'000'000};
    CHECK(transfer_text(line) == "a.gguf  600 MB of 2.40 GB  25 %  90.0 MB/s  20 s left");
    CHECK(transfer_bar(line, 100, 8).starts_with("a.gguf    ━━━━━━╌╌╌╌╌╌╌"));
    CHECK(transfer_text({"a", 10, 10, 5}) == "a  10 B of 10 B  100 %");
    CHECK(transfer_text({"a", 0, 1000, 0}) == "a  0 B of 1.00 KB  0 %");
    CHECK(contains(transfer_text({"a", 999, 1000, 0}), "99 %"));  // not 100 before it is
    CHECK(contains(transfer_text({"", 0, 0, 0}), "100 %"));
  }

  TEST_CASE(
      "transfer_lines: fit the terminal, cut long names in front, obey no control characters") {
    const TransferLine line{"models/deep/model-00001-of-00002.safetensors", 1, 1000000, 10};
    for (const int width : {20, 40, 60, 80, 120})
      CHECK(columns(transfer_bar(line, width, 16)) <= width);
    CHECK(transfer_bar(line, 100, 20).starts_with("...00002.safetensors  "));
    CHECK_FALSE(contains(transfer_text({"a\x1b[2Jb", 0, 1, 0}), "\x1b"));
  }

  TEST_CASE("transfer_lines: the rate is that of the last seconds, resumed bytes do not count") {
    TransferRate rate;
    CHECK(rate.bytes_per_second() == 0);
    rate.note(0, 1'000'000);
    rate.note(1, 1'000'100);
    CHECK(rate.bytes_per_second() == 100);
    for (int second = 2; second <= 20; ++second) rate.note(second, 1'000'000 + 1000 * second);
    CHECK(rate.bytes_per_second() == 1000);
    rate.note(21, 50);  // began anew
    rate.note(22, 60);
    CHECK(rate.bytes_per_second() == 10);
  }
}
