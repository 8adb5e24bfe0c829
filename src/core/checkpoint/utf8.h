#pragma once

#include <string>
#include <string_view>

namespace toolkit::checkpoint {

/// Whether the bytes are well-formed UTF-8 (no overlong forms, no surrogates; RFC 3629).
bool is_utf8(std::string_view text);

/// The bytes as they may stand in a message: control characters and bad UTF-8 as \xNN, cut at
/// `limit`.
std::string printable(std::string_view text, size_t limit = 80);

}  // namespace toolkit::checkpoint
