#include "core/hash/digest.h"

namespace toolkit::hash {

namespace {

/// Lower case of a hexadecimal digit; 0 for any other character.
char hex_digit(char letter) {
  if ((letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f')) return letter;
  if (letter >= 'A' && letter <= 'F') return static_cast<char>(letter - 'A' + 'a');
  return 0;
}

}  // namespace

std::optional<Digest> parse_digest(std::string_view text) {
  constexpr std::string_view kPrefix = "sha256";
  constexpr size_t kSha256Digits = 64, kSha1Digits = 40;
  Digest digest;
  if (text.starts_with(kPrefix)) {
    text.remove_prefix(kPrefix.size());
    if (text.empty() || (text[0] != ':' && text[0] != '-')) return std::nullopt;
    text.remove_prefix(1);
    if (text.size() != kSha256Digits) return std::nullopt;
  } else if (text.size() == kSha1Digits) {
    digest.algorithm = Algorithm::kGitBlob;
  } else if (text.size() != kSha256Digits) {
    return std::nullopt;
  }
  digest.hex.reserve(text.size());
  for (const char letter : text) {
    const char digit = hex_digit(letter);
    if (digit == 0) return std::nullopt;
    digest.hex += digit;
  }
  return digest;
}

}  // namespace toolkit::hash
