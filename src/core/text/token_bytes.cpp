#include "core/text/token_bytes.h"

#include <array>
#include <cctype>
#include <optional>

namespace toolkit::text {

namespace {

constexpr std::string_view kByteLevelSpace = "\xC4\xA0";  // U+0120
constexpr std::string_view kPieceSpace = "\xE2\x96\x81";  // U+2581
constexpr int kSpelled = 0x144;                           // code points GPT-2's spelling uses

/// The byte behind each code point; -1 for those that stand for none.
std::array<int, kSpelled> bytes_by_spelling() {
  std::array<int, kSpelled> bytes;
  bytes.fill(-1);
  int next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
    bytes[static_cast<size_t>(printable ? byte : next++)] = byte;
  }
  return bytes;
}

std::optional<std::string> from_byte_level(std::string_view token) {
  static const std::array<int, kSpelled> bytes = bytes_by_spelling();
  std::string result;
  for (size_t i = 0; i < token.size(); ++i) {
    unsigned code = static_cast<unsigned char>(token[i]);
    if (code >= 0xC0 && code < 0xE0 && i + 1 < token.size())
      code = (code & 0x1Fu) << 6 | (static_cast<unsigned char>(token[++i]) & 0x3Fu);
    if (code >= kSpelled || bytes[code] < 0) return std::nullopt;
    result += static_cast<char>(bytes[code]);
  }
  return result;
}

std::optional<char> from_hexadecimal(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  const std::string digits(token.substr(3, 2));
  for (const char c : digits)
    if (!std::isxdigit(static_cast<unsigned char>(c))) return std::nullopt;
  return static_cast<char>(std::stoi(digits, nullptr, 16));
}

}  // namespace

std::string token_bytes(const Tokenizer& tokenizer, int32_t id) {
  std::string token = tokenizer.token_of(id).value_or("");
  if (tokenizer.id_of(kByteLevelSpace)) {
    if (const auto bytes = from_byte_level(token)) return *bytes;
    return token;
  }
  if (const auto byte = from_hexadecimal(token)) return std::string(1, *byte);
  for (size_t at = 0; (at = token.find(kPieceSpace, at)) != std::string::npos;)
    token.replace(at, kPieceSpace.size(), " ");
  return token;
}

}  // namespace toolkit::text
