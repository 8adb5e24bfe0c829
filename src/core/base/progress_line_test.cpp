#include "core/base/progress_line.h"

#include <doctest/doctest.h>

#include <algorithm>

using toolkit::progress_bar_line;
using toolkit::progress_text_line;
using toolkit::ProgressState;
using toolkit::shown_duration;

TEST_SUITE("unit") {
  TEST_CASE("progress: figures, rate and remaining time") {
    const ProgressState state{
        .label = "training", .note = "loss 1.83", .done = 120, .total = 400, .seconds = 60};
    CHECK(progress_text_line(state) ==
          "training  120/400  30 %  2.0/s  2 min 20 s left  loss 1.83");
    CHECK(progress_bar_line(state, 100) ==
          "training  ━━━━━━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌  120/400  30 %  2.0/s  2 min 20 s left  loss "
          "1.83");
  }

  TEST_CASE("progress: never wider than the terminal") {
    const ProgressState state{
        .label = "training", .note = std::string(200, 'n'), .done = 3, .total = 7, .seconds = 2};
    for (int width : {12, 20, 60, 120}) {
      const std::string line = progress_bar_line(state, width);
      const auto columns =
          std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; });
      CHECK(columns <= width);
    }
  }

  TEST_CASE("progress: start, end and unknown total") {
    CHECK(progress_text_line({.label = "reading", .total = 4}) == "reading  0/4  0 %");
    CHECK(progress_text_line({.label = "reading", .done = 4, .total = 4, .seconds = 40}) ==
          "reading  4/4  100 %  10.0 s each  40 s");
    CHECK(progress_text_line({.label = "reading", .done = 5000, .seconds = 2}) ==
          "reading  5000  2500/s  2 s");
  }

  TEST_CASE("progress: durations as people say them") {
    CHECK(shown_duration(8.4) == "8 s");
    CHECK(shown_duration(133) == "2 min 13 s");
    CHECK(shown_duration(11100) == "3 h 05 min");
    CHECK(shown_duration(-1) == "0 s");
  }
}
