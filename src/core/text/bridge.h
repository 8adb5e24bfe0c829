#pragma once

#include <text_bridge.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace toolkit::text {

/// A buffer of the Rust side, freed with this.
struct BridgeBytes {
  TbBytes raw{};
  BridgeBytes() = default;
  BridgeBytes(const BridgeBytes&) = delete;
  BridgeBytes& operator=(const BridgeBytes&) = delete;
  ~BridgeBytes() { tb_bytes_free(raw); }
  std::string_view view() const { return {reinterpret_cast<const char*>(raw.data), raw.size}; }
};

inline const uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

/// Throws the Error a status stands for; `what` names the file or thing the message is about.
/// `panicked` is what a panic of the crate means: our bug, or (for a tokenizer from outside, which
/// the crate does not check in full) a file that is not as it should be.
inline void check_bridge(int status, const BridgeBytes& error, std::string_view what,
                         ErrorKind panicked = ErrorKind::kInternal) {
  if (status == TB_OK) return;
  std::string_view reason = error.view();
  if (reason.starts_with("panicked at"))  // then a place in the crate's source, which helps nobody
    reason = reason.substr(std::min(reason.find('\n'), reason.size() - 1) + 1);
  fail(status == TB_INTERNAL ? panicked : ErrorKind::kUserInput, "{}: {}", what, reason);
}

}  // namespace toolkit::text
