#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/http/server/request.h"

namespace toolkit::http::server {

/// Who may ask. Without a token only programs of this machine reach the server (it listens on
/// loopback), but so do web pages in its browser: a page's own Origin (CSRF) and a foreign name
/// that resolves to 127.0.0.1 (DNS rebinding) are told by Host, Origin and Sec-Fetch-Site.
struct AccessRules {
  std::string token;  // "": none is asked for
  /// Names beside loopback's that Host may have. With a token every Host is taken: a page of
  /// another origin does not have the token.
  std::vector<std::string> hosts;
  std::vector<std::string> origins;       // beside the server's own: "https://app.example"
  std::vector<std::string> public_paths;  // answered without a token: "/health"
};

struct Refusal {
  int status;  // 400, 401 or 403
  std::string message;
};

/// Why a request may not be answered; empty if it may.
std::optional<Refusal> refusal(const AccessRules& rules, const Request& request);

/// True for a listed or the server's own Origin; of a request without one, false.
bool is_allowed_origin(const AccessRules& rules, const Request& request);

/// Takes as long for texts that differ early as for those that differ late.
bool equal_in_constant_time(std::string_view a, std::string_view b);

/// localhost, 127.0.0.0/8, ::1, with or without brackets.
bool is_loopback_name(std::string_view host);

/// "[::1]:8080" -> "::1"; "localhost:80" -> "localhost"; empty if it is no host and port.
std::string host_without_port(std::string_view host);

}  // namespace toolkit::http::server
