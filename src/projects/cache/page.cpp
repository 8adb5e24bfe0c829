#include "projects/cache/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace toolkit::cache {

namespace {

constexpr const char* kBold = "1";
constexpr const char* kFaint = "2";
constexpr int kBarWidth = 20;

const char* code_of(Tone tone) {
  constexpr const char* kCodes[] = {"", "32", "33", "31"};
  return kCodes[static_cast<int>(tone)];
}

}  // namespace

std::string Page::painted(const std::string& text, const char* code) const {
  return color_ && *code ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
}

void Page::heading(const std::string& text) {
  text_ += (text_.empty() ? "" : "\n") + painted(text, kBold) + "\n";
}

void Page::table(const report::Table& table, const std::vector<Tone>& tones) {
  const std::string plain = report::to_text(table);
  size_t number = 0;
  for (size_t begin = 0; begin < plain.size(); ++number) {
    const size_t end = plain.find('\n', begin);
    const std::string line = plain.substr(begin, end - begin);
    const Tone tone = number >= 2 && number - 2 < tones.size() ? tones[number - 2] : Tone::kPlain;
    text_ += painted(line, number == 0 ? kBold : number == 1 ? kFaint : code_of(tone)) + "\n";
    begin = end + 1;
  }
}

void Page::row(const std::string& name, const std::string& value) {
  text_ += fmt::format("  {:<20}{}\n", name, value);
}

void Page::line(const std::string& text, Tone tone) {
  text_ += painted(text, code_of(tone)) + "\n";
}

std::string bar(double share) {
  const int full = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * kBarWidth));
  std::string text;
  for (int at = 0; at < kBarWidth; ++at) text += at < full ? "█" : "░";
  return fmt::format("{} {:>3.0f} %", text, share * 100);
}

std::string counted(uint64_t count, const std::string& thing) {
  return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

}  // namespace toolkit::cache
