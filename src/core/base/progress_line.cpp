#include "core/base/progress_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace toolkit {

namespace {

std::string rate_text(double per_second) {
  if (per_second >= 100) return fmt::format("{:.0f}/s", per_second);
  if (per_second >= 1) return fmt::format("{:.1f}/s", per_second);
  return per_second > 0 ? fmt::format("{:.1f} s each", 1 / per_second) : "";
}

/// "120/400  30 %  2.1/s  2 min 13 s left"
std::string figures(const ProgressState& state) {
  std::string text =
      state.total > 0
          ? fmt::format("{}/{}  {:.0f} %", state.done, state.total,
                        100.0 * static_cast<double>(state.done) / static_cast<double>(state.total))
          : fmt::format("{}", state.done);
  if (state.done <= 0 || state.seconds <= 0) return text;
  const double rate = static_cast<double>(state.done) / state.seconds;
  text += "  " + rate_text(rate);
  if (state.total > state.done)
    text += fmt::format("  {} left",
                        shown_duration(static_cast<double>(state.total - state.done) / rate));
  else
    text += fmt::format("  {}", shown_duration(state.seconds));
  return text;
}

/// Display columns of UTF-8 text, one per code point: enough for the text shown here.
int columns(const std::string& text) {
  return static_cast<int>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string cut(const std::string& text, int width) {
  int seen = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((text[i] & 0xC0) == 0x80) continue;
    if (seen++ == width) return text.substr(0, i);
  }
  return text;
}

}  // namespace

std::string shown_duration(double seconds) {
  const int64_t whole = static_cast<int64_t>(std::llround(std::clamp(seconds, 0.0, 1e9)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

std::string progress_text_line(const ProgressState& state) {
  std::string text = state.label + "  " + figures(state);
  return state.note.empty() ? text : text + "  " + state.note;
}

std::string progress_bar_line(const ProgressState& state, int width) {
  const std::string text = figures(state);
  const int fixed = columns(state.label) + columns(text) + columns(state.note) + 6;
  const int room = std::min(30, width - fixed);
  if (state.total <= 0 || room < 6) return cut(progress_text_line(state), width);
  const double share =
      std::clamp(static_cast<double>(state.done) / static_cast<double>(state.total), 0.0, 1.0);
  const int filled = static_cast<int>(std::floor(share * room));
  std::string bar;
  for (int i = 0; i < room; ++i) bar += i < filled ? "━" : "╌";
  return cut(fmt::format("{}  {}  {}  {}", state.label, bar, text, state.note), width);
}

}  // namespace toolkit
