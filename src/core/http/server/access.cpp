#include "core/http/server/access.h"

#include <fmt/format.h>

#include <algorithm>

namespace toolkit::http::server {

namespace {

/// "http://localhost:3000" -> "localhost:3000"; "" for "null" and others.
std::string_view origin_host(std::string_view origin) {
  for (const std::string_view scheme : {"http://", "https://"})
    if (origin.starts_with(scheme)) return origin.substr(scheme.size());
  return {};
}

std::string_view bearer_token(const Request& request) {
  std::string_view value = request.header("Authorization");
  constexpr std::string_view kScheme = "bearer ";
  if (value.size() < kScheme.size() || !same_word(value.substr(0, kScheme.size()), kScheme))
    return {};
  value.remove_prefix(kScheme.size());
  while (value.starts_with(' ')) value.remove_prefix(1);
  return value;
}

bool is_listed(const std::vector<std::string>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& one) { return same_word(one, name); });
}

}  // namespace

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i]) ^
                  static_cast<unsigned char>(b.empty() ? 0 : b[i % b.size()]);
  return difference == 0;
}

std::string host_without_port(std::string_view host) {
  size_t end = host.size();
  if (host.starts_with('[')) {
    end = host.find(']');
    if (end == std::string_view::npos) return "";
    const std::string_view rest = host.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') return "";
    return std::string(host.substr(1, end - 1));
  }
  if (const size_t colon = host.find(':'); colon != std::string_view::npos) {
    const std::string_view port = host.substr(colon + 1);
    if (port.size() > 5 ||
        !std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; }))
      return "";
    end = colon;
  }
  return std::string(host.substr(0, end));
}

bool is_loopback_name(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (same_word(host, "localhost") || host == "::1") return true;
  if (!host.starts_with("127.")) return false;
  int dots = 0, digits = 0;
  for (const char c : host) {
    if (c == '.') {
      if (digits == 0) return false;
      ++dots;
      digits = 0;
    } else if (c >= '0' && c <= '9' && digits < 3) {
      ++digits;
    } else {
      return false;
    }
  }
  return dots == 3 && digits > 0;
}

bool is_allowed_origin(const AccessRules& rules, const Request& request) {
  const std::string_view origin = request.header("Origin");
  if (origin.empty()) return false;
  const std::string_view host = origin_host(origin);
  return (!host.empty() && same_word(host, request.header("Host"))) ||
         is_listed(rules.origins, origin);
}

std::optional<Refusal> refusal(const AccessRules& rules, const Request& request) {
  const std::string host = host_without_port(request.header("Host"));
  if (rules.token.empty() && !is_loopback_name(host) && !is_listed(rules.hosts, host))
    return Refusal{403, fmt::format("this server does not answer to the host '{}'", host)};
  const std::string_view origin = request.header("Origin");
  if (!origin.empty() && !is_allowed_origin(rules, request))
    return Refusal{403, fmt::format("pages of '{}' may not use this server", origin)};
  if (origin.empty() && same_word(request.header("Sec-Fetch-Site"), "cross-site"))
    return Refusal{403, "pages of other sites may not use this server"};
  if (rules.token.empty() || is_listed(rules.public_paths, request.path)) return std::nullopt;
  const bool preflight = request.method == "OPTIONS" && !origin.empty();
  if (preflight || equal_in_constant_time(bearer_token(request), rules.token)) return std::nullopt;
  return Refusal{401, "a token is needed: send the header 'Authorization: Bearer <token>'"};
}

}  // namespace toolkit::http::server
