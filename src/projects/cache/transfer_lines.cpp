#include "projects/cache/transfer_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/progress_line.h"
#include "core/files/disk_space.h"
#include "core/files/safe_path.h"

namespace toolkit::cache {

namespace {

constexpr double kWindowSeconds = 5;
constexpr int kWidestBar = 24, kNarrowestBar = 6;

/// Display columns, one per code point.
int columns(const std::string& text) {
  return static_cast<int>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string first_columns(const std::string& text, int width) {
  int seen = 0;
  for (size_t i = 0; i < text.size(); ++i)
    if ((text[i] & 0xC0) != 0x80 && seen++ == width) return text.substr(0, i);
  return text;
}

/// Cut in front, where paths are alike: "...00001-of-00002.safetensors".
std::string fitted(const std::string& text, int width) {
  const int wide = columns(text);
  if (wide <= width) return text + std::string(static_cast<size_t>(width - wide), ' ');
  std::string end = text;
  while (!end.empty() && columns(end) > std::max(width - 3, 0)) {
    end.erase(0, 1);
    while (!end.empty() && (end[0] & 0xC0) == 0x80) end.erase(0, 1);
  }
  return first_columns("..." + end, width);
}

double share_of(const TransferLine& line) {
  if (line.total_bytes == 0) return 1;
  return std::min(1.0,
                  static_cast<double>(line.done_bytes) / static_cast<double>(line.total_bytes));
}

std::string figures(const TransferLine& line) {
  std::string text =
      fmt::format("{} of {}  {:.0f} %", files::shown_bytes(line.done_bytes),
                  files::shown_bytes(line.total_bytes), std::floor(100 * share_of(line)));
  if (line.done_bytes >= line.total_bytes || line.bytes_per_second < 1) return text;
  const double left = static_cast<double>(line.total_bytes - line.done_bytes);
  return text + fmt::format("  {}/s  {} left",
                            files::shown_bytes(static_cast<uint64_t>(line.bytes_per_second)),
                            shown_duration(left / line.bytes_per_second));
}

}  // namespace

void TransferRate::note(double seconds, uint64_t bytes) {
  // Fewer than before: a file began anew.
  if (samples_.empty() || bytes < samples_.back().bytes) return restart(seconds, bytes);
  samples_.push_back({seconds, bytes});
  while (samples_.size() > 2 && samples_[1].seconds <= seconds - kWindowSeconds)
    samples_.pop_front();
}

void TransferRate::restart(double seconds, uint64_t bytes) {
  samples_ = {{seconds, bytes}};
}

double TransferRate::bytes_per_second() const {
  if (samples_.size() < 2) return 0;
  const double seconds = samples_.back().seconds - samples_.front().seconds;
  return seconds > 0 ? static_cast<double>(samples_.back().bytes - samples_.front().bytes) / seconds
                     : 0;
}

std::string transfer_bar(const TransferLine& line, int width, int label_width) {
  const std::string label = fitted(files::escaped(line.label), label_width);
  const std::string text = figures(line);
  const int room = std::min(kWidestBar, width - label_width - columns(text) - 4);
  if (room < kNarrowestBar) return first_columns(label + "  " + text, width);
  const int filled = static_cast<int>(std::floor(share_of(line) * room));
  std::string bar;
  for (int i = 0; i < room; ++i) bar += i < filled ? "━" : "╌";
  return fmt::format("{}  {}  {}", label, bar, text);
}

std::string transfer_text(const TransferLine& line) {
  return files::escaped(line.label) + "  " + figures(line);
}

}  // namespace toolkit::cache
