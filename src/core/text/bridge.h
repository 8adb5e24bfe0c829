#pragma once

#include <text_bridge.h>

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
inline void check_bridge(int status, const BridgeBytes& error, std::string_view what) {
  if (status == TB_OK) return;
  const auto kind = status == TB_INTERNAL ? ErrorKind::kInternal : ErrorKind::kUserInput;
  fail(kind, "{}: {}", what, error.view());
}

}  // namespace toolkit::text
