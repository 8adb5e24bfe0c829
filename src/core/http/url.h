#pragma once

#include <string>
#include <string_view>

namespace toolkit::http {

/// A checked absolute http or https URL (RFC 3986); no user:password part.
struct Url {
  std::string scheme, host;  // lower case
  int port = 0;              // always set: 80 or 443 when the text has none
  std::string target;        // path and query, begins with '/'
  std::string text() const;
};

/// Throws Error(kUserInput): control characters, other schemes, missing host, bad port.
Url parse_url(std::string_view text);

/// A Location header against the URL that answered with it.
Url resolve_redirect(const Url& base, std::string_view location);

bool same_origin(const Url& a, const Url& b);  // scheme, host and port
bool is_loopback(const Url& url);              // localhost, 127.0.0.0/8, ::1

/// Percent-encoding of one path part; '/' becomes %2F.
std::string encoded_part(std::string_view text);

/// For logs and messages: no query string (signed links), no fragment.
std::string shown_url(const Url& url);

}  // namespace toolkit::http
