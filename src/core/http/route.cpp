#include "core/http/route.h"

#include <strings.h>

#include <algorithm>

#include "core/base/error.h"

namespace toolkit::http {

namespace {

constexpr int kMostHops = 10;

bool is_plain_text(const std::string& text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) == 0x7F;
  });
}

bool may_be_plain(const Url& url, const ClientSettings& settings) {
  return url.scheme == "https" || settings.allow_plain_http || is_loopback(url);
}

}  // namespace

Route start_route(const Request& request, const ClientSettings& settings) {
  if (!may_be_plain(request.url, settings))
    fail(ErrorKind::kUserInput,
         "{}: plain http would show everything to the network; use https (plain http is only for "
         "this machine)",
         shown_url(request.url));
  for (const Header& header : request.headers) {
    for (const char* secret : {"Authorization", "Cookie", "Proxy-Authorization"})
      if (::strcasecmp(header.name.c_str(), secret) == 0 && request.follow_redirects)
        fail(ErrorKind::kInternal, "header {} given apart from bearer_token", secret);
    if (!is_plain_text(header.name) || !is_plain_text(header.value))
      fail(ErrorKind::kUserInput, "{}: a request header has control characters",
           shown_url(request.url));
  }
  if (!is_plain_text(request.bearer_token))
    fail(ErrorKind::kUserInput, "the token for {} has control characters: is it one line?",
         request.url.host);
  return {.first = request.url, .url = request.url, .method = request.method};
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

void follow_redirect(Route& route, const Request& request, int status, const std::string& location,
                     const ClientSettings& settings) {
  const std::string from = shown_url(route.url);
  if (++route.hops > kMostHops)
    fail(ErrorKind::kNetwork, "{}: more than {} redirects, the last from {}",
         shown_url(route.first), kMostHops, from);
  if (location.empty())
    fail(ErrorKind::kNetwork, "{}: redirect ({}) without a Location", from, status);
  Url next;
  try {
    next = resolve_redirect(route.url, location);
  } catch (const Error& error) {
    fail(ErrorKind::kNetwork, "{}: redirect refused: {}", from, error.what());
  }
  if (route.url.scheme == "https" && next.scheme == "http")
    fail(ErrorKind::kNetwork, "{}: redirect from https to plain http ({}) refused", from,
         shown_url(next));
  if (!may_be_plain(next, settings))
    fail(ErrorKind::kNetwork, "{}: redirect to plain http on another host ({}) refused", from,
         shown_url(next));
  // 303 always asks for GET; the older codes do so for everything that is not GET or HEAD.
  if (route.method != "GET" && route.method != "HEAD") {
    if (status <= 303)
      route.method = "GET";
    else if (!same_origin(route.first, next) && !request.body.empty())
      fail(ErrorKind::kNetwork, "{}: redirect would send the request's body to {}: refused", from,
           next.host);
  }
  if (!same_origin(route.first, next)) route.with_token = false;
  route.url = std::move(next);
}

}  // namespace toolkit::http
