#pragma once

#include <string>

#include "core/http/client.h"

namespace toolkit::http {

/// Where a request stands on its way over redirects, and what may go along.
struct Route {
  Url first, url;
  std::string method;
  bool with_token = true;  // until the first hop to another origin, and never again after it
  int hops = 0;
};

/// Throws Error(kUserInput) for plain http to a host that is not this machine, unless allowed; for
/// headers that would carry a secret past the rules, or with control characters.
Route start_route(const Request& request, const ClientSettings& settings);

bool is_redirect(int status);

/// One hop on. Throws Error(kNetwork): no or unusable Location, more than 10 hops, https to http,
/// plain http to another host, a body that would go to another origin.
void follow_redirect(Route& route, const Request& request, int status, const std::string& location,
                     const ClientSettings& settings);

}  // namespace toolkit::http
