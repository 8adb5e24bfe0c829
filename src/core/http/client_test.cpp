#include "core/http/client.h"

#include <doctest/doctest.h>

#include <atomic>

#include <cstdlib>
#include <string>
#include <vector>

#include "core/base/testing.h"
#include "core/http/testing/loopback_server.h"

namespace http = toolkit::http;
using http::testing::Answer;
using http::testing::LoopbackServer;
using http::testing::Received;
using std::chrono::milliseconds;
using toolkit::ErrorKind;
using toolkit::testing::contains;
using toolkit::testing::refusal_of;

namespace {

/// Quick retries, all told.
struct Patient {
  std::vector<std::string> notes;
  http::ClientSettings settings(int attempts = 3, milliseconds patience = milliseconds(20000)) {
    return {.stall_timeout = patience,
            .retry = {.attempts = attempts,
                      .first_delay = milliseconds(1),
                      .longest_delay = milliseconds(5)},
            .random_seed = 1,
            .on_retry = [this](const std::string& note) { notes.push_back(note); }};
  }
};

http::Request get(const std::string& url) {
  return {.url = http::parse_url(url)};
}

/// 96 bytes of gzip that inflate to 64 KiB of zeros, again and again: members may follow each
/// other.
std::string gzip_bomb() {
  static const unsigned char member[] = {
      0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xed, 0xc1, 0x01, 0x01,
      0x00, 0x00, 0x00, 0x80, 0x90, 0xfe, 0xaf, 0xee, 0x08, 0x0a, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x6a, 0xeb, 0x8e, 0x97, 0xd7, 0x00, 0x00, 0x01, 0x00};
  return {reinterpret_cast<const char*>(member), sizeof member};
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("client: an answer with status, headers and body - headers of the request") {
    const LoopbackServer server([](const Received& request) {
      return Answer{.status = request.target == "/a?x=1" ? 200 : 404,
                    .headers = {{"X-Repo-Commit", "  abc "}},
                    .body = "hello"};
    });
    http::Client client;
    http::Request request = get(server.origin() + "/a?x=1");
    request.headers = {{"X-One", "1"}};
    request.bearer_token = "s3cret";
    const http::Response response = client.send(request);
    CHECK(response.status == 200);
    CHECK(response.body == "hello");
    CHECK(response.header("x-repo-commit") == "abc");
    CHECK_FALSE(response.header("absent"));
    const Received received = server.received().at(0);
    CHECK(received.method == "GET");
    CHECK(received.header("x-one") == "1");
    CHECK(received.header("authorization") == "Bearer s3cret");
    CHECK(received.header("user-agent") == "mlx-cache");
    CHECK(client.send(get(server.origin() + "/b")).status == 404);  // an answer, no failure
  }

  TEST_CASE("client: HEAD, POST and DELETE") {
    const LoopbackServer server([](const Received& request) {
      return Answer{.body = request.method + ":" + request.body};
    });
    http::Client client;
    http::Request request = get(server.origin());
    request.method = "HEAD";
    CHECK(client.send(request).header("content-length") == "5");
    request.method = "POST";
    request.body = "{\"model\":\"a\"}";
    CHECK(client.send(request).body == "POST:{\"model\":\"a\"}");
    request.method = "DELETE";
    CHECK(client.send(request).body == "DELETE:{\"model\":\"a\"}");
  }

  TEST_CASE("client: retries what may pass, says so, and gives the last answer") {
    std::atomic<int> asked = 0;
    const LoopbackServer server([&](const Received&) {
      ++asked;
      // On a connection that was used before, libcurl itself would ask again.
      if (asked == 1)
        return Answer{.status = 503, .headers = {{"Connection", "close"}}, .body = "busy"};
      if (asked == 2) return Answer{.no_answer = true};
      if (asked == 3) return Answer{.body = "0123456789", .cut_after_bytes = 4};
      return Answer{.body = "fine"};
    });
    Patient patient;
    http::Client client(patient.settings(6));
    CHECK(client.send(get(server.origin())).body == "fine");
    REQUIRE(patient.notes.size() == 3);
    CHECK(contains(patient.notes[0], "127.0.0.1: 503, again in "));
    CHECK(contains(patient.notes[0], "(attempt 2 of 6)"));
    CHECK(contains(patient.notes[2], "connection lost after 4 bytes"));

    asked = 0;
    http::Client impatient(patient.settings(1));
    CHECK(impatient.send(get(server.origin())).status == 503);
    CHECK(asked == 1);
  }

  TEST_CASE("client: what does not pass is not repeated") {
    std::atomic<int> asked = 0;
    const LoopbackServer server([&](const Received& request) {
      ++asked;
      if (request.method == "POST") return Answer{.no_answer = true};
      return Answer{.status = 403, .headers = {{"Connection", "close"}}};
    });
    Patient patient;
    http::Client client(patient.settings());
    CHECK(client.send(get(server.origin())).status == 403);
    CHECK(asked == 1);
    http::Request post = get(server.origin());
    post.method = "POST";  // the server may have acted on it
    CHECK(contains(refusal_of([&] { client.send(post); }, ErrorKind::kNetwork), "127.0.0.1"));
    CHECK(asked == 2);
    CHECK(patient.notes.empty());
  }

  TEST_CASE("client: delays double, are drawn from the upper half, and obey Retry-After") {
    const http::RetryRules rules;
    CHECK(http::retry_delay(rules, 1, 0, {}) == milliseconds(250));
    CHECK(http::retry_delay(rules, 1, 1, {}) == milliseconds(500));
    CHECK(http::retry_delay(rules, 4, 1, {}) == milliseconds(4000));
    CHECK(http::retry_delay(rules, 60, 1, {}) == milliseconds(60000));
    CHECK(http::retry_delay(rules, 1, 0, std::chrono::seconds(7)) == milliseconds(7000));
    CHECK(http::retry_delay(rules, 1, 0, std::chrono::seconds(999999)) == milliseconds(60000));
    for (const int status : {408, 429, 500, 502, 503, 504}) CHECK(http::is_retryable(status));
    for (const int status : {200, 301, 400, 401, 403, 404, 410, 416, 501})
      CHECK_FALSE(http::is_retryable(status));
  }

  TEST_CASE("client: Retry-After of the server is waited for, within limits") {
    std::atomic<int> asked = 0;
    const LoopbackServer server([&](const Received&) {
      if (asked++ == 0) return Answer{.status = 429, .headers = {{"Retry-After", "3600"}}};
      return Answer{};
    });
    Patient patient;
    http::Client client(patient.settings());
    CHECK(client.send(get(server.origin())).status == 200);
    REQUIRE(patient.notes.size() == 1);
    CHECK(contains(patient.notes[0], "429, again in 0.0 s"));  // the longest delay of this client
  }

  TEST_CASE("client: no connection names the host and the next step") {
    std::string origin;
    {
      origin = LoopbackServer([](const Received&) { return Answer{}; }).origin();
    }
    Patient patient;
    http::Client client(patient.settings(2));
    const std::string refusal =
        refusal_of([&] { client.send(get(origin + "/x?token=abc")); }, ErrorKind::kNetwork);
    CHECK(contains(refusal, origin + "/x"));
    CHECK(contains(refusal, "(2 attempts)"));
    CHECK(contains(refusal, "is the server running?"));
    CHECK_FALSE(contains(refusal, "abc"));
  }

  TEST_CASE("client: redirects within an origin keep the token, to another origin they lose it") {
    const LoopbackServer other([](const Received&) { return Answer{.body = "from afar"}; });
    const LoopbackServer server([&](const Received& request) {
      if (request.target == "/old") return Answer{.status = 307, .headers = {{"Location", "/new"}}};
      if (request.target == "/new")
        return Answer{.status = 302, .headers = {{"Location", other.origin() + "/f?sig=1"}}};
      return Answer{.status = 404};
    });
    http::Client client;
    http::Request request = get(server.origin() + "/old");
    request.bearer_token = "s3cret";
    const http::Response response = client.send(request);
    CHECK(response.body == "from afar");
    CHECK(response.url.text() == other.origin() + "/f?sig=1");
    for (const Received& received : server.received())
      CHECK(received.header("authorization") == "Bearer s3cret");
    const std::vector<Received> afar = other.received();
    REQUIRE(afar.size() == 1);
    for (const http::Header& header : afar[0].headers)
      CHECK_FALSE(contains(header.value, "s3cret"));

    request.follow_redirects = false;
    CHECK(client.send(request).status == 307);

    // Another scheme than a bearer's, where no redirect could carry it away.
    request.bearer_token = "";
    request.headers = {{"Authorization", "key:s3cret"}};
    client.send(request);
    CHECK(server.received().back().header("authorization") == "key:s3cret");
    CHECK(other.received().size() == 1);
  }

  TEST_CASE("client: a token that was dropped does not come back") {
    std::string home;
    const LoopbackServer other([&](const Received&) {
      return Answer{.status = 302, .headers = {{"Location", home + "/steal"}}};
    });
    const LoopbackServer server([&](const Received& request) {
      if (request.target == "/steal") return Answer{};
      return Answer{.status = 302, .headers = {{"Location", other.origin() + "/"}}};
    });
    home = server.origin();
    http::Client client;
    http::Request request = get(home + "/a");
    request.bearer_token = "s3cret";
    client.send(request);
    REQUIRE(server.received().size() == 2);
    CHECK(server.received()[1].header("authorization").empty());
  }

  TEST_CASE("client: redirects that are refused") {
    std::string location;
    const LoopbackServer server([&](const Received&) {
      return Answer{.status = 302, .headers = {{"Location", location}}};
    });
    http::Client client;
    const auto refused = [&](const std::string& to) {
      location = to;
      return refusal_of([&] { client.send(get(server.origin() + "/")); }, ErrorKind::kNetwork);
    };
    CHECK(contains(refused("/"), "more than 10 redirects"));
    CHECK(contains(refused("http://hub.example/x?sig=abc"), "plain http on another host"));
    CHECK_FALSE(contains(refused("http://hub.example/x?sig=abc"), "abc"));
    CHECK(contains(refused("file:///etc/passwd"), "refused"));
    CHECK(contains(refused(""), "without a Location"));
  }

  TEST_CASE("client: plain http to other hosts, and secrets in headers, are refused") {
    http::Client client;
    CHECK(contains(refusal_of([&] { client.send(get("http://hub.example/")); }), "plain http"));
    http::Request request = get("http://127.0.0.1:1/");
    request.headers = {{"authorization", "Bearer x"}};
    CHECK_FALSE(refusal_of([&] { client.send(request); }, ErrorKind::kInternal).empty());
    request.headers = {{"X", "a\r\nY: b"}};
    CHECK_FALSE(refusal_of([&] { client.send(request); }).empty());
    request.headers.clear();
    request.bearer_token = "s3cret\r\nX: 1";
    const std::string refusal = refusal_of([&] { client.send(request); });
    CHECK(contains(refusal, "control characters"));
    CHECK_FALSE(contains(refusal, "s3cret"));
  }

  TEST_CASE("client: bodies beyond the limit: endless, and small ones that inflate") {
    const LoopbackServer server([](const Received& request) {
      if (request.target == "/endless")
        return Answer{.body = std::string(4096, 'x'), .endless = true};
      std::string bomb;
      for (int i = 0; i < 100; ++i) bomb += gzip_bomb();
      return Answer{.headers = {{"Content-Encoding", "gzip"}}, .body = bomb};
    });
    http::Client client;
    for (const char* target : {"/endless", "/bomb"}) {
      http::Request request = get(server.origin() + target);
      request.body_limit_bytes = 32 << 10;
      CHECK(contains(refusal_of([&] { client.send(request); }, ErrorKind::kNetwork),
                     "a body of more than 32768 bytes"));
    }
  }

  TEST_CASE("client: endless headers are refused") {
    const LoopbackServer server([](const Received&) { return Answer{.endless_headers = true}; });
    http::Client client({.retry = {.attempts = 1}});
    CHECK_FALSE(
        refusal_of([&] { client.send(get(server.origin())); }, ErrorKind::kNetwork).empty());
  }

  TEST_CASE("client: a silent server and one that sends a byte now and then are given up") {
    const LoopbackServer server([](const Received& request) {
      Answer answer{.body = std::string(100000, 'x')};
      if (request.target == "/silent") answer.pause_ms_per_kilobyte = 60000;
      if (request.target == "/trickle") answer.pause_ms_per_byte = 20;
      return answer;
    });
    Patient patient;
    http::Client client(patient.settings(2, milliseconds(300)));
    for (const char* target : {"/silent", "/trickle"})
      CHECK(contains(
          refusal_of([&] { client.send(get(server.origin() + target)); }, ErrorKind::kNetwork),
          "too slow"));
    CHECK(patient.notes.size() == 2);
  }

  TEST_CASE("client: lines come one by one, can be ended, and are limited") {
    const LoopbackServer server([](const Received& request) {
      if (request.target == "/error") return Answer{.status = 400, .body = "{\"error\":\"no\"}"};
      if (request.target == "/long") return Answer{.body = std::string(3 << 20, 'x')};
      return Answer{.body = "{\"a\":1}\r\n\n{\"a\":2}\n{\"a\":3}"};
    });
    http::Client client;
    std::vector<std::string> lines;
    const auto collect = [&](std::string_view line) {
      lines.emplace_back(line);
      return true;
    };
    CHECK(client.send_lines(get(server.origin()), collect).status == 200);
    CHECK(lines == std::vector<std::string>{"{\"a\":1}", "{\"a\":2}", "{\"a\":3}"});
    lines.clear();
    const http::Response error = client.send_lines(get(server.origin() + "/error"), collect);
    CHECK(error.status == 400);
    CHECK(error.body == "{\"error\":\"no\"}");
    CHECK(lines.empty());
    int seen = 0;
    client.send_lines(get(server.origin()), [&](std::string_view) { return ++seen < 2; });
    CHECK(seen == 2);
    CHECK(contains(refusal_of([&] { client.send_lines(get(server.origin() + "/long"), collect); },
                              ErrorKind::kNetwork),
                   "1 MiB"));
  }

  TEST_CASE("client: a proxy from the environment is used, but not for this machine") {
    const LoopbackServer proxy([](const Received&) { return Answer{.body = "by proxy"}; });
    const LoopbackServer server([](const Received&) { return Answer{.body = "direct"}; });
    ::setenv("HTTP_PROXY", proxy.origin().c_str(), 1);
    http::Client client({.allow_plain_http = true, .retry = {.attempts = 1}});
    CHECK(client.send(get("http://hub.example/a")).body == "by proxy");
    CHECK(client.send(get(server.origin())).body == "direct");
    ::unsetenv("HTTP_PROXY");
    CHECK(proxy.received().at(0).target == "http://hub.example/a");
  }
}
