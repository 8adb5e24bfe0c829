#include "core/http/server/request.h"

#include <doctest/doctest.h>

#include "core/http/server/response.h"

using namespace toolkit::http::server;

TEST_SUITE("unit") {
  TEST_CASE("a target is taken apart and decoded once") {
    Request request{.target = "/v1/models/a%2Fb%252e?limit=2&after=x%20y+z&empty"};
    CHECK(read_target(request) == "");
    CHECK(request.path == "/v1/models/a/b%2e");
    CHECK(request.parameter("limit") == "2");
    CHECK(request.parameter("after") == "x y z");
    CHECK(request.parameter("empty") == "");
    CHECK_FALSE(request.parameter("none"));
  }

  TEST_CASE("targets that are none are refused") {
    for (const char* target : {"", "*", "http://h/", "x", "/%", "/%4", "/%zz", "/a%00b",
                               "/a%0d%0ab", "/..%5c..", "/a#b", "/\x7f"}) {
      Request request{.target = target};
      CHECK_MESSAGE(read_target(request) != "", target);
    }
  }

  TEST_CASE("header names are compared without case and the first counts") {
    const Request request{.headers = {{"content-TYPE", "a"}, {"Content-Type", "b"}}};
    CHECK(request.header("Content-Type") == "a");
    CHECK(request.header("Accept") == "");
  }

  TEST_CASE("a header value from outside cannot start another header") {
    const Response response{.headers = {{"X-Name", "a\r\nSet-Cookie: b"}}};
    const std::string head = head_text(response, Framing::kLength, true);
    CHECK(head.find("\r\nSet-Cookie") == std::string::npos);
    CHECK(head.find("X-Name: a  Set-Cookie: b\r\n") != std::string::npos);
  }

  TEST_CASE("chunks carry their length in hexadecimal") {
    CHECK(chunk_text("") == "");
    CHECK(chunk_text(std::string(17, 'x')) == "11\r\n" + std::string(17, 'x') + "\r\n");
  }
}
