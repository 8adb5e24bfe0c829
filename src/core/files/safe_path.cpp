#include "core/files/safe_path.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/base/error.h"
#include "core/files/folder.h"

namespace toolkit::files {

namespace {

constexpr size_t kPartBytes = 255, kPathBytes = 1024;

struct Character {
  uint32_t code = 0;
  size_t bytes = 0;  // 0: no valid UTF-8 here
};

/// The character at the start of `text`, which is not empty (RFC 3629: no overlong forms, no
/// surrogates, nothing above U+10FFFF).
Character next_character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < bytes) return {};
  uint32_t code = first & (0x7FU >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3FU);
  }
  constexpr std::array<uint32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[bytes] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {};
  return {code, bytes};
}

/// Characters that steer a terminal, or make a name look like another one.
bool steers(uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x061C ||
         (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2060 && code <= 0x2069) || code == 0xFEFF;
}

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

/// CON, NUL, COM1 and so on open a device on Windows, with any extension behind them.
bool is_device_name(std::string_view part) {
  const std::string stem = folded_path(part.substr(0, part.find('.')));
  constexpr std::array<std::string_view, 6> kNames = {"con", "prn",    "aux",
                                                      "nul", "conin$", "conout$"};
  if (std::find(kNames.begin(), kNames.end(), stem) != kNames.end()) return true;
  return stem.size() == 4 && (stem.starts_with("com") || stem.starts_with("lpt")) &&
         stem[3] >= '1' && stem[3] <= '9';
}

std::string why_unsafe_part(std::string_view part) {
  if (part.empty()) return "has an empty part";
  if (part == "." || part == "..") return fmt::format("has a part '{}'", part);
  if (part.size() > kPartBytes)
    return fmt::format("has a part of {} bytes (at most {})", part.size(), kPartBytes);
  if (part.back() == '.' || part.back() == ' ') return "has a part that ends in a dot or blank";
  if (is_device_name(part)) return fmt::format("has a part '{}', a device on Windows", part);
  return "";
}

std::string why_unsafe_characters(std::string_view text) {
  for (std::string_view rest = text; !rest.empty();) {
    const Character character = next_character(rest);
    if (character.bytes == 0) return "is not UTF-8";
    if (character.code == '\\') return "has a '\\'";
    if (steers(character.code)) return "has control characters";
    rest.remove_prefix(character.bytes);
  }
  return "";
}

template <class Visit>
std::string first_complaint_of_parts(std::string_view relative, const Visit& visit) {
  for (;;) {
    const size_t slash = relative.find('/');
    std::string why = visit(relative.substr(0, slash));
    if (!why.empty() || slash == std::string_view::npos) return why;
    relative.remove_prefix(slash + 1);
  }
}

}  // namespace

std::string why_unsafe_own_path(std::string_view relative) {
  if (relative.empty()) return "is empty";
  if (relative.size() > kPathBytes)
    return fmt::format("has {} bytes (at most {})", relative.size(), kPathBytes);
  if (std::string why = why_unsafe_characters(relative); !why.empty()) return why;
  if (relative.front() == '/') return "is absolute";
  const char letter = lower(relative.front());
  if (relative.size() > 1 && relative[1] == ':' && letter >= 'a' && letter <= 'z')
    return "begins with a drive";
  return first_complaint_of_parts(relative, why_unsafe_part);
}

std::string why_unsafe_path(std::string_view relative) {
  if (std::string why = why_unsafe_own_path(relative); !why.empty()) return why;
  return first_complaint_of_parts(relative, [](std::string_view part) {
    return folded_path(part).starts_with(kTemporaryPrefix)
               ? fmt::format("has a part that begins with '{}'", kTemporaryPrefix)
               : std::string();
  });
}

void check_relative_path(std::string_view relative, const std::string& where) {
  const std::string why = why_unsafe_path(relative);
  if (why.empty()) return;
  constexpr size_t kShownBytes = 120;
  const std::string shown =
      escaped(relative.substr(0, kShownBytes)) + (relative.size() > kShownBytes ? "..." : "");
  fail(ErrorKind::kUserInput, "{}: file name '{}': {}", where, shown, escaped(why));
}

std::string folded_path(std::string_view relative) {
  std::string folded(relative);
  std::transform(folded.begin(), folded.end(), folded.begin(), lower);
  return folded;
}

std::string escaped(std::string_view text) {
  std::string fit;
  while (!text.empty()) {
    const Character character = next_character(text);
    const size_t bytes = std::max<size_t>(character.bytes, 1);
    if (character.bytes != 0 && !steers(character.code)) {
      fit += text.substr(0, bytes);
    } else {
      for (const char byte : text.substr(0, bytes))
        fit += fmt::format("\\x{:02x}", static_cast<uint8_t>(byte));
    }
    text.remove_prefix(bytes);
  }
  return fit;
}

}  // namespace toolkit::files
