#include "core/http/url.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>

#include "core/base/error.h"
#include "core/files/safe_path.h"

namespace toolkit::http {

namespace {

/// libcurl's own parser: what is checked here is what is connected to later.
using Parts = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

std::string part_of(CURLU* parts, CURLUPart what, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(parts, what, &text, flags) != CURLUE_OK) return "";
  const std::unique_ptr<char, decltype(&curl_free)> owner(text, &curl_free);
  return text;
}

[[noreturn]] void refuse(std::string_view text, const char* why) {
  // A query may be a signature: it is cut off here too.
  fail(ErrorKind::kUserInput, "'{}' is not a usable web address: {}",
       files::escaped(text.substr(0, std::min(text.find('?'), size_t{300}))), why);
}

void check_bytes(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte >= 0x7F) refuse(text, "blanks and control characters must be encoded");
    if (c == '\\') refuse(text, "'\\' has no place in an address");
  }
}

bool is_host(const std::string& host) {
  if (host.empty() || host.size() > 255) return false;
  const bool address = host.front() == '[';
  const std::string_view allowed =
      address ? "[]0123456789abcdef:." : "abcdefghijklmnopqrstuvwxyz0123456789.-_";
  return host.find_first_not_of(allowed) == std::string::npos && (!address || host.back() == ']');
}

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

/// Blanks and bytes beyond ASCII, which servers write into Location as they are.
std::string encoded_foreign_bytes(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == ' ' || byte >= 0x80)
      encoded += fmt::format("%{:02X}", byte);
    else
      encoded += c;
  }
  return encoded;
}

}  // namespace

std::string Url::text() const {
  const bool usual = port == (scheme == "https" ? 443 : 80);
  return scheme + "://" + host + (usual ? "" : ":" + std::to_string(port)) + target;
}

Url parse_url(std::string_view text) {
  check_bytes(text);
  const size_t mark = text.find("://");
  Url url;
  if (mark != std::string_view::npos) url.scheme = lower_case(std::string(text.substr(0, mark)));
  if (url.scheme != "http" && url.scheme != "https") refuse(text, "expected https://host/path");
  const std::string_view rest = text.substr(mark + 3);
  if (rest.empty() || rest[0] == '/' || rest[0] == '?' || rest[0] == '#')
    refuse(text, "the host is missing");

  const Parts parts(curl_url(), &curl_url_cleanup);
  const std::string whole(text);
  const CURLUcode code =
      curl_url_set(parts.get(), CURLUPART_URL, whole.c_str(), CURLU_DISALLOW_USER);
  if (code == CURLUE_USER_NOT_ALLOWED)
    refuse(rest.substr(std::min(rest.find('@'), rest.size())),
           "a name and password before the host are not supported (a token comes from the "
           "environment)");
  if (code != CURLUE_OK) refuse(text, curl_url_strerror(code));
  url.host = lower_case(part_of(parts.get(), CURLUPART_HOST));
  if (!is_host(url.host)) refuse(text, "the host has characters that no host name has");
  url.port = std::atoi(part_of(parts.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT).c_str());
  if (url.port < 1 || url.port > 65535) refuse(text, "the port must be 1 to 65535");
  url.target = part_of(parts.get(), CURLUPART_PATH);
  const std::string query = part_of(parts.get(), CURLUPART_QUERY);
  if (!query.empty()) url.target += "?" + query;
  if (url.target.empty()) url.target = "/";
  return url;
}

Url resolve_redirect(const Url& base, std::string_view location) {
  const std::string encoded = encoded_foreign_bytes(location);
  check_bytes(encoded);
  const Parts parts(curl_url(), &curl_url_cleanup);
  const std::string from = base.text();
  if (curl_url_set(parts.get(), CURLUPART_URL, from.c_str(), 0) != CURLUE_OK ||
      curl_url_set(parts.get(), CURLUPART_URL, encoded.c_str(), 0) != CURLUE_OK)
    refuse(encoded, "it is the redirect that the server sent");
  // An absolute one is judged as it was written, before libcurl made it tidy.
  const bool absolute = encoded.find("://") < encoded.find_first_of("/?#");
  return parse_url(absolute ? encoded : part_of(parts.get(), CURLUPART_URL));
}

bool same_origin(const Url& a, const Url& b) {
  return a.scheme == b.scheme && a.host == b.host && a.port == b.port;
}

bool is_loopback(const Url& url) {
  if (url.host == "localhost" || url.host == "[::1]") return true;
  return url.host.starts_with("127.") &&
         url.host.find_first_not_of("0123456789.") == std::string::npos &&
         std::count(url.host.begin(), url.host.end(), '.') == 3;
}

std::string encoded_part(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain)
      encoded += c;
    else
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

std::string shown_url(const Url& url) {
  Url shown = url;
  shown.target = shown.target.substr(0, shown.target.find('?'));
  return shown.text();
}

}  // namespace toolkit::http
