#include "core/http/stream.h"

#include "core/base/testing.h"
#include "core/http/testing/loopback_server.h"

namespace toolkit::http {

using testing::Answer;
using testing::LoopbackServer;
using testing::Received;

TEST_SUITE_BEGIN("unit");

TEST_CASE("a streamed answer comes as it is sent and can be ended") {
  LoopbackServer server([](const Received& request) {
    return Answer{.status = request.body == "no" ? 418 : 200,
                  .headers = {{"X-Kind", "tea: green"}},
                  .body = std::string(8192, 'a'),
                  .pause_ms_per_kilobyte = 5};
  });
  const Request request{.method = "POST", .url = parse_url(server.origin() + "/x"), .body = "yes"};
  Response head;
  size_t pieces = 0, bytes = 0;
  StreamEvents events{.on_head =
                          [&](const Response& told) {
                            head = told;
                            return true;
                          },
                      .on_bytes =
                          [&](std::string_view text) {
                            ++pieces;
                            bytes += text.size();
                            return true;
                          },
                      .goes_on = [] { return true; }};
  CHECK(stream(request, events));
  CHECK(head.status == 200);
  CHECK(head.header("x-kind") == "tea: green");
  CHECK(bytes == 8192);
  CHECK(pieces > 1);
  bytes = 0;
  events.on_bytes = [&](std::string_view text) {
    bytes += text.size();
    return false;
  };
  CHECK(!stream(request, events));
  CHECK(bytes < 8192);
  events.on_bytes = [](std::string_view) -> bool { fail(ErrorKind::kIo, "mine"); };
  CHECK(toolkit::testing::refusal_of([&] { stream(request, events); }, ErrorKind::kIo) == "mine");
}

TEST_CASE("a server that is not there or breaks off is an error") {
  const StreamEvents events{.on_head = [](const Response&) { return true; },
                            .on_bytes = [](std::string_view) { return true; },
                            .goes_on = [] { return true; }};
  CHECK(toolkit::testing::refusal_of(
            [&] { stream({.url = parse_url("http://127.0.0.1:1/x")}, events); },
            ErrorKind::kNetwork) != "");
  LoopbackServer server(
      [](const Received&) { return Answer{.body = std::string(100, 'a'), .cut_after_bytes = 10}; });
  CHECK(toolkit::testing::refusal_of(
            [&] { stream({.url = parse_url(server.origin() + "/")}, events); },
            ErrorKind::kNetwork) != "");
}

TEST_SUITE_END();

}  // namespace toolkit::http
