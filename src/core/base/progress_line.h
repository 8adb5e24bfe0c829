#pragma once

#include <cstdint>
#include <string>

namespace toolkit {

/// What a progress line is made from.
struct ProgressState {
  std::string label, note;
  int64_t done = 0, total = 0;  // total <= 0: not known
  double seconds = 0;           // since the start
};

/// "training  ━━━━━━╌╌╌╌  120/400  30 %  2.1/s  2 min 13 s left  loss 1.83", no wider than `width`
/// columns (the bar shrinks, then the note is cut).
std::string progress_bar_line(const ProgressState& state, int width);

/// The same without a bar, for logs and pipes.
std::string progress_text_line(const ProgressState& state);

/// "8 s", "2 min 13 s", "3 h 05 min".
std::string shown_duration(double seconds);

}  // namespace toolkit
