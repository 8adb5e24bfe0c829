#include "core/http/url.h"

#include <doctest/doctest.h>

#include "core/base/testing.h"

namespace http = toolkit::http;
using toolkit::testing::contains;
using toolkit::testing::refusal_of;

TEST_SUITE("unit") {
  TEST_CASE("url: scheme, host, port and target") {
    const http::Url url = http::parse_url("HTTPS://Hub.Example:8443/a/b?x=1&y=%20#part");
    CHECK(url.scheme == "https");
    CHECK(url.host == "hub.example");
    CHECK(url.port == 8443);
    CHECK(url.target == "/a/b?x=1&y=%20");
    CHECK(url.text() == "https://hub.example:8443/a/b?x=1&y=%20");
    CHECK(http::parse_url("http://h").text() == "http://h/");
    CHECK(http::parse_url("http://h:80/").text() == "http://h/");
    CHECK(http::parse_url("https://h").port == 443);
    CHECK(http::parse_url("http://[::1]:99/x").host == "[::1]");
  }

  TEST_CASE("url: what is refused, and why") {
    for (const char* text :
         {"", "hub.example/a", "ftp://h/a", "file:///etc/passwd", "http://", "http:///path",
          "http:/h/a", "http://h:0/", "http://h:70000/", "http://h:x/", "http://h/a b",
          "http://h/\r\nX: 1", "http://h\\@evil/", "http://h%00.x/", "http://h/\x80"}) {
      CAPTURE(text);
      CHECK_FALSE(refusal_of([&] { http::parse_url(text); }).empty());
    }
    const std::string refusal = refusal_of([] { http::parse_url("https://ann:secret@h/a"); });
    CHECK(contains(refusal, "password"));
    CHECK_FALSE(contains(refusal, "secret"));
    CHECK_FALSE(contains(refusal_of([] { http::parse_url("ftp://h/a?sig=abc"); }), "abc"));
  }

  TEST_CASE("url: redirects are resolved against the answering address") {
    const http::Url base = http::parse_url("https://hub.example/org/model/resolve/main/a.json?x=1");
    const auto to = [&](const char* location) {
      return http::resolve_redirect(base, location).text();
    };
    CHECK(to("/renamed/a.json") == "https://hub.example/renamed/a.json");
    CHECK(to("b.json") == "https://hub.example/org/model/resolve/main/b.json");
    CHECK(to("//cdn.example/a") == "https://cdn.example/a");
    CHECK(to("http://cdn.example:81/a?s=1") == "http://cdn.example:81/a?s=1");
    CHECK(to("/caf\xC3\xA9 1") == "https://hub.example/caf%C3%A9%201");
    for (const char* location : {"javascript:alert(1)", "file:///etc/passwd", "https:///x",
                                 "https://u:p@h/", "/a\r\nSet-Cookie: x", "http://h:99999/"}) {
      CAPTURE(location);
      CHECK_FALSE(refusal_of([&] { http::resolve_redirect(base, location); }).empty());
    }
  }

  TEST_CASE("url: origins and loopback") {
    const auto url = [](const char* text) { return http::parse_url(text); };
    CHECK(http::same_origin(url("https://a/1"), url("https://A:443/2")));
    CHECK_FALSE(http::same_origin(url("https://a/"), url("http://a/")));
    CHECK_FALSE(http::same_origin(url("https://a/"), url("https://a:444/")));
    CHECK_FALSE(http::same_origin(url("https://a/"), url("https://b.a/")));
    for (const char* text :
         {"http://localhost/", "http://127.0.0.1:1/", "http://127.9.9.9/", "http://[::1]/"})
      CHECK_MESSAGE(http::is_loopback(url(text)), text);
    for (const char* text : {"http://127.0.0.1.evil/", "http://localhost.evil/", "http://10.0.0.1/",
                             "http://127.evil/", "http://128.0.0.1/"})
      CHECK_FALSE_MESSAGE(http::is_loopback(url(text)), text);
  }

  TEST_CASE("url: encoding of a part, and what is shown") {
    CHECK(http::encoded_part("refs/pr/1") == "refs%2Fpr%2F1");
    CHECK(http::encoded_part("a b+\xC3\xA9?#%") == "a%20b%2B%C3%A9%3F%23%25");
    CHECK(http::encoded_part("Aa0-._~") == "Aa0-._~");
    CHECK(http::shown_url(http::parse_url("https://h/a?X-Signature=s3cret")) == "https://h/a");
  }
}
