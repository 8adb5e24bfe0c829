#include "core/http/server/access.h"

#include <doctest/doctest.h>

using namespace toolkit::http::server;

namespace {

Request asked(std::vector<toolkit::http::Header> headers, const std::string& path = "/v1/models") {
  return {.method = "POST", .path = path, .headers = std::move(headers)};
}

int status(const AccessRules& rules, const Request& request) {
  const auto refused = refusal(rules, request);
  return refused ? refused->status : 200;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("only loopback names and listed ones are answered without a token") {
    const AccessRules rules{.hosts = {"my-mac.local"}};
    for (const char* host : {"localhost", "LOCALHOST:8080", "127.0.0.1:1", "127.9.0.1", "[::1]:80",
                             "my-mac.local:8080"})
      CHECK_MESSAGE(status(rules, asked({{"Host", host}})) == 200, host);
    for (const char* host : {"evil.example", "evil.example:8080", "localhost.evil.example",
                             "0.0.0.0", "127.0.0.1.evil.example", "127.0.0", "127.0.0.1234",
                             "[::2]", "[::1", "[::1]x", "localhost:port", "10.0.0.1", ""})
      CHECK_MESSAGE(status(rules, asked({{"Host", host}})) == 403, host);
  }

  TEST_CASE("pages of other origins are refused and the server's own are not") {
    const AccessRules rules{.origins = {"https://app.example"}};
    const auto with = [&](const char* origin) {
      return status(rules, asked({{"Host", "localhost:8080"}, {"Origin", origin}}));
    };
    CHECK(with("http://localhost:8080") == 200);
    CHECK(with("https://app.example") == 200);
    for (const char* origin :
         {"http://evil.example", "null", "http://localhost:3000", "https://app.example.evil",
          "http://localhost:8080.evil.example", "file://localhost:8080"})
      CHECK_MESSAGE(with(origin) == 403, origin);
    CHECK(status(rules, asked({{"Host", "localhost"}, {"Sec-Fetch-Site", "cross-site"}})) == 403);
  }

  TEST_CASE("with a token every request must carry it") {
    const AccessRules rules{.token = "secret", .public_paths = {"/health"}};
    CHECK(status(rules, asked({{"Host", "h"}, {"Authorization", "Bearer secret"}})) == 200);
    CHECK(status(rules, asked({{"Host", "h"}, {"authorization", "bearer  secret"}})) == 200);
    for (const char* value : {"", "secret", "Bearer", "Bearer ", "Bearer secre", "Bearer secrets",
                              "Basic secret", "Bearer Secret"})
      CHECK_MESSAGE(status(rules, asked({{"Host", "h"}, {"Authorization", value}})) == 401, value);
    CHECK(status(rules, asked({{"Host", "h"}}, "/health")) == 200);
    CHECK(status(rules, asked({{"Host", "h"}}, "/health/")) == 401);
  }

  TEST_CASE("texts are compared whole") {
    CHECK(equal_in_constant_time("", ""));
    CHECK(equal_in_constant_time("abc", "abc"));
    CHECK_FALSE(equal_in_constant_time("abc", "abcabc"));
    CHECK_FALSE(equal_in_constant_time("abcabc", "abc"));
    CHECK_FALSE(equal_in_constant_time("abc", ""));
    CHECK_FALSE(equal_in_constant_time("", "abc"));
  }
}
