#pragma once

#include <chrono>
#include <functional>
#include <string_view>

#include "core/http/client.h"

namespace toolkit::http {

/// What is told while an answer comes in; false ends the transfer.
struct StreamEvents {
  /// Once, before any byte: status and headers as they came.
  std::function<bool(const Response& head)> on_head;
  /// Bytes of the body as they come, not decoded, none held back.
  std::function<bool(std::string_view bytes)> on_bytes;
  /// Asked several times a second, also while nothing comes.
  std::function<bool()> goes_on;
};

/// Sends a request once, follows no redirect, uses no system proxy and waits for the answer as long
/// as it takes: for passing requests on. Returns false if an event ended it; throws Error(kNetwork)
/// when the server cannot be reached within `connect_timeout` or breaks off. Any number of threads
/// at once.
bool stream(const Request& request, const StreamEvents& events,
            std::chrono::milliseconds connect_timeout = std::chrono::seconds(10));

}  // namespace toolkit::http
