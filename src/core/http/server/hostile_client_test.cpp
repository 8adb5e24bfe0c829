#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "core/base/testing.h"
#include "core/http/server/raw_client_for_tests.h"
#include "core/http/server/server.h"

using namespace toolkit::http::server;
using toolkit::testing::contains;

namespace {

Handler ok() {
  return [](const std::shared_ptr<Exchange>& exchange) { exchange->respond({.body = "fine"}); };
}

std::string with(const std::string& headers, const std::string& rest = "") {
  return "POST / HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n" + rest;
}

struct Case {
  std::string sent;
  std::string status;
};

std::vector<Case> malformed_requests() {
  return {
      {"\r\n\r\n", "400"},
      {"GET\r\n\r\n", "400"},
      {"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", "505"},
      {"GET / HTTP/1.1\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", "400"},
      {"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"},
      {"GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"},
      {"GET /a\\b HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"},
      {"GET / HTTP/1.1\nHost: localhost\n\n", "505"},
      {"G\x01T / HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403"},
      {with("Content-Length: -1\r\n"), "400"},
      {with("Content-Length: 1e3\r\n"), "400"},
      {with("Content-Length: 18446744073709551616\r\n"), "400"},
      {with("Content-Length: 18446744073709551615\r\n"), "413"},
      {with("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), "400"},
      {with("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"), "400"},
      {with("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "400"},
      {with("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"), "400"},
      {with("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), "400"},
      {with("Transfer-Encoding: chunked\r\n", "-2\r\nab\r\n0\r\n\r\n"), "400"},
      {with("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"), "400"},
      {with("Transfer-Encoding: chunked\r\n", "ffffffffffffffff\r\n"), "413"},
      {with("Transfer-Encoding: chunked\r\n", "2\r\nabXX0\r\n\r\n"), "400"},
      {with("Transfer-Encoding: chunked\r\n", "2;" + std::string(100'000, 'e')), "400"},
      {with("Expect: a miracle\r\n"), "417"},
      {with("X: " + std::string(100'000, 'x') + "\r\n"), "431"},
      {with("Origin: http://evil.example\r\n"), "403"},
  };
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("malformed requests get an answer and the connection ends") {
    std::atomic<int> reached = 0;
    Server server({}, [&](const std::shared_ptr<Exchange>& exchange) {
      ++reached;
      exchange->respond({});
    });
    for (const Case& one : malformed_requests()) {
      RawClient client(server.port());
      client.send(one.sent);
      CHECK_MESSAGE(RawClient::status(client.read_all()) == one.status, one.sent.substr(0, 80));
      CHECK(client.closed());
    }
    CHECK(reached == 0);
  }

  TEST_CASE("many headers are too many") {
    Server server({}, ok());
    std::string headers;
    for (int i = 0; i < 200; ++i) headers += "X: y\r\n";
    RawClient client(server.port());
    client.send(with(headers));
    CHECK(RawClient::status(client.read_all()) == "431");
  }

  TEST_CASE("a body over the limit is refused before it is read, a chunked one while it is") {
    Server server({.limits = {.body_bytes = 1000}}, ok());
    RawClient announced(server.port());
    announced.send(with("Content-Length: 1001\r\nExpect: 100-continue\r\n"));
    CHECK(RawClient::status(announced.read_all()) == "413");
    RawClient chunked(server.port());
    chunked.send(with("Transfer-Encoding: chunked\r\n"));
    for (int i = 0; i < 20; ++i) chunked.send("64\r\n" + std::string(100, 'x') + "\r\n");
    CHECK(RawClient::status(chunked.read_all()) == "413");
    RawClient fitting(server.port());
    fitting.send(with("Content-Length: 1000\r\n", std::string(1000, 'x')));
    CHECK(RawClient::status(fitting.read_until("fine")) == "200");
  }

  TEST_CASE("the limit of a body may depend on the path") {
    Server server({.body_limit = [](const Request& head) -> uint64_t {
                    return head.path == "/files" ? 1000 : 10;
                  }},
                  ok());
    RawClient client(server.port());
    client.send("POST /files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n" +
                std::string(1000, 'x'));
    CHECK(RawClient::status(client.read_until("fine")) == "200");
    client.forget();
    client.send(with("Content-Length: 11\r\n", std::string(11, 'x')));
    CHECK(RawClient::status(client.read_all()) == "413");
  }

  TEST_CASE("slow heads, bodies and silent clients are sent away") {
    Server server({.limits = {.head_seconds = 0.2, .body_seconds = 0.2, .idle_seconds = 0.3}},
                  ok());
    RawClient head(server.port()), body(server.port()), silent(server.port());
    head.send("GET / HTTP/1.1\r\nHos");
    body.send(with("Content-Length: 100\r\n", "some"));
    CHECK(RawClient::status(head.read_all()) == "408");
    CHECK(RawClient::status(body.read_all()) == "408");
    CHECK(silent.read_all() == "");
    CHECK(silent.closed());
  }

  TEST_CASE("a client that does not read is cut off and holds no memory without limit") {
    std::atomic<int> taken = 0;
    std::atomic<bool> refused = false;
    Server server({.limits = {.unsent_bytes = 1 << 20}},
                  [&](const std::shared_ptr<Exchange>& exchange) {
                    exchange->begin({});
                    const std::string piece(1 << 16, 'x');
                    while (taken < 100'000 && exchange->write(piece)) ++taken;
                    refused = true;
                  });
    RawClient client(server.port(), 4096);
    client.send(with(""));
    client.read_until("chunked");
    for (int i = 0; i < 500 && !refused; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(refused);
    CHECK(taken < 10'000);
  }

  TEST_CASE("a writer may wait for its client") {
    std::atomic<size_t> most = 0;
    Server server({}, [&](const std::shared_ptr<Exchange>& exchange) {
      exchange->begin({});
      const std::string piece(1 << 16, 'x');
      for (int i = 0; i < 200 && exchange->wait_for_client(1 << 17); ++i) {
        exchange->write(piece);
        most = std::max<size_t>(most, exchange->unsent_bytes());
      }
      exchange->finish();
    });
    RawClient client(server.port());
    client.send(with("Connection: close\r\n"));
    CHECK(client.read_all().size() > 200 * (1 << 16));
    CHECK(most <= (1 << 17) + (1 << 16) + 1024);
  }

  TEST_CASE("connections over the limit are told so") {
    Server server({.limits = {.connections = 2}}, ok());
    RawClient first(server.port()), second(server.port());
    first.send(with(""));
    CHECK(RawClient::status(first.read_until("fine")) == "200");
    second.send(with(""));
    CHECK(RawClient::status(second.read_until("fine")) == "200");
    RawClient third(server.port());
    CHECK(RawClient::status(third.read_all()) == "503");
    first.close();
    for (int i = 0; i < 500 && server.connections() > 1; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    RawClient fourth(server.port());
    fourth.send(with(""));
    CHECK(RawClient::status(fourth.read_until("fine")) == "200");
  }

  TEST_CASE("a server that ends takes waiting handlers and open clients with it") {
    std::shared_ptr<Exchange> kept;
    {
      std::atomic<bool> taken = false;
      Server server({}, [&](const std::shared_ptr<Exchange>& exchange) {
        exchange->begin({.body = "x"});
        kept = exchange;
        taken = true;
      });
      RawClient client(server.port());
      client.send(with(""));
      client.read_until("x");
      while (!taken) std::this_thread::yield();
    }
    CHECK(kept->gone());
    CHECK_FALSE(kept->write("more"));
    kept.reset();
  }
}
