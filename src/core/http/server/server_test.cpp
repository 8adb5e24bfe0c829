#include "core/http/server/server.h"

#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/base/testing.h"
#include "core/http/server/raw_client_for_tests.h"

using namespace toolkit::http::server;
using toolkit::testing::contains;

namespace {

/// Set by one thread, awaited by another.
class Signal {
 public:
  void give() {
    const std::lock_guard lock(mutex_);
    given_ = true;
    changed_.notify_all();
  }
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return given_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool given_ = false;
};

Handler echo() {
  return [](const std::shared_ptr<Exchange>& exchange) {
    const Request& request = exchange->request();
    exchange->respond({.content_type = "text/plain",
                       .body = request.method + " " + request.path + " [" + request.body + "]"});
  };
}

std::string get(const std::string& path, const std::string& more = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n";
}

std::string post(const std::string& body) {
  return "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a connection is used for one request after another") {
    Server server({}, echo());
    RawClient client(server.port());
    client.send(get("/a"));
    CHECK(contains(client.read_until("[]"), "HTTP/1.1 200 OK\r\n"));
    CHECK(contains(client.read_until("[]"), "GET /a []"));
    client.forget();
    client.send(post("hello"));
    CHECK(contains(client.read_until("[hello]"), "POST /x [hello]"));
    client.forget();
    client.send(get("/last", "Connection: close\r\n"));
    CHECK(contains(client.read_all(), "Connection: close\r\n"));
    CHECK(client.closed());
  }

  TEST_CASE("pipelined requests are answered in their order, however they are cut") {
    Server server({}, echo());
    std::string all;
    for (int i = 0; i < 50; ++i)
      all += i % 2 ? post(std::to_string(i)) : get("/" + std::to_string(i));
    RawClient client(server.port());
    for (size_t begin = 0; begin < all.size(); begin += 37) client.send(all.substr(begin, 37));
    client.end_sending();
    const std::string answers = client.read_all();
    size_t at = 0;
    for (int i = 0; i < 50 && at != std::string::npos; ++i)
      at = answers.find(i % 2 ? "[" + std::to_string(i) + "]" : "GET /" + std::to_string(i) + " ",
                        at);
    CHECK(at != std::string::npos);
  }

  TEST_CASE("chunked bodies are put together") {
    Server server({}, echo());
    RawClient client(server.port());
    client.send(
        "POST /c HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n");
    client.send("4;name=value\r\ndefg\r\n0\r\nAuthorization: late\r\n\r\n");
    CHECK(contains(client.read_until("]"), "POST /c [abcdefg]"));
  }

  TEST_CASE("a client that asks first is told to continue, also on a second request") {
    Server server({}, echo());
    RawClient client(server.port());
    for (int i = 0; i < 2; ++i) {
      client.forget();
      client.send(
          "POST /e HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
          "Expect: 100-continue\r\n\r\n");
      CHECK(contains(client.read_until("Continue\r\n\r\n"), "HTTP/1.1 100 Continue"));
      client.send("ok");
      CHECK(contains(client.read_until("[ok]"), "POST /e [ok]"));
    }
  }

  TEST_CASE("a streamed answer arrives piece by piece") {
    Signal received, end;
    Server server({}, [&](const std::shared_ptr<Exchange>& exchange) {
      exchange->begin({.content_type = "text/event-stream"});
      exchange->write("data: 1\n\n");
      received.wait();  // the client has the first piece before there is a second
      exchange->write("data: 2\n\n");
      exchange->finish();
      end.give();
    });
    RawClient client(server.port());
    client.send(get("/s"));
    CHECK(contains(client.read_until("data: 1"), "Transfer-Encoding: chunked"));
    received.give();
    CHECK(contains(client.read_until("0\r\n\r\n"), "9\r\ndata: 2\n\n\r\n0\r\n\r\n"));
    CHECK(end.wait());
  }

  TEST_CASE("HEAD gets the head and HTTP/1.0 no chunks") {
    Server server({}, [](const std::shared_ptr<Exchange>& exchange) {
      exchange->begin({});
      exchange->write("body");
      exchange->finish();
    });
    RawClient head(server.port());
    head.send("HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    CHECK_FALSE(contains(head.read_all(), "body"));
    RawClient old(server.port());
    old.send("GET / HTTP/1.0\r\n\r\n");
    CHECK(RawClient::status(old.read_all()) == "403");  // no Host
    RawClient known(server.port());
    known.send("GET / HTTP/1.0\r\nHost: localhost\r\n\r\n");
    const std::string answer = known.read_all();
    CHECK(answer.ends_with("\r\n\r\nbody"));
    CHECK_FALSE(contains(answer, "chunked"));
  }

  TEST_CASE("who answers is told when the client goes") {
    Signal working, gone;
    std::atomic<bool> written = true;
    Server server({}, [&](const std::shared_ptr<Exchange>& exchange) {
      exchange->when_gone([&] { gone.give(); });
      working.give();
      gone.wait();
      exchange->begin({});
      written = exchange->write("x");
    });
    RawClient client(server.port());
    client.send(get("/"));
    CHECK(working.wait());
    client.close();
    CHECK(gone.wait());
    CHECK(server.drain(10));
    CHECK_FALSE(written);
  }

  TEST_CASE("a client that closed its side still gets an answer") {
    Server server({}, echo());
    RawClient client(server.port());
    client.send(get("/half"));
    client.end_sending();
    CHECK(contains(client.read_all(), "GET /half []"));
  }

  TEST_CASE("an answer may come later from another thread") {
    std::shared_ptr<Exchange> kept;
    Signal taken;
    Server server({.handler_threads = 1}, [&](const std::shared_ptr<Exchange>& exchange) {
      if (exchange->request().path != "/wait") return exchange->respond({.body = "at once"});
      kept = exchange;
      taken.give();
    });
    RawClient waiting(server.port()), other(server.port());
    waiting.send(get("/wait"));
    CHECK(taken.wait());
    other.send(get("/now"));  // the only handler thread is free
    CHECK(contains(other.read_until("once"), "at once"));
    kept->respond({.body = "later"});
    CHECK(contains(waiting.read_until("later"), "later"));
    kept.reset();
  }

  TEST_CASE("an exchange nobody answers is answered, one cut in the middle is seen to be") {
    Server server({}, [](const std::shared_ptr<Exchange>& exchange) {
      if (exchange->request().path == "/throws") toolkit::fail(toolkit::ErrorKind::kInternal, "oh");
      if (exchange->request().path == "/cut") exchange->begin({.body = "some"});
    });
    RawClient dropped(server.port()), thrown(server.port()), cut(server.port());
    dropped.send(get("/"));
    CHECK(RawClient::status(dropped.read_until("made")) == "500");
    thrown.send(get("/throws"));
    CHECK(RawClient::status(thrown.read_until("oh")) == "500");
    cut.send(get("/cut"));
    const std::string answer = cut.read_all();
    CHECK(contains(answer, "some"));
    CHECK_FALSE(contains(answer, "0\r\n\r\n"));
  }

  TEST_CASE("draining lets what runs finish and closes what waits") {
    Signal working, go_on;
    Server server({}, [&](const std::shared_ptr<Exchange>& exchange) {
      working.give();
      go_on.wait();
      exchange->respond({.body = "finished"});
    });
    RawClient idle(server.port()), busy(server.port());
    busy.send(get("/"));
    CHECK(working.wait());
    CHECK_FALSE(server.drain(0.05));
    CHECK(idle.read_all() == "");
    CHECK(idle.closed());
    CHECK(toolkit::testing::refusal_of([&] { RawClient late(server.port()); },
                                       toolkit::ErrorKind::kNetwork) != "");
    go_on.give();
    CHECK(contains(busy.read_all(), "finished"));
    CHECK(server.drain(10));
  }

  TEST_CASE("a page of a listed origin may read answers") {
    Server server({.access = {.origins = {"https://app.example"}}}, echo());
    RawClient client(server.port());
    client.send(
        "OPTIONS /v1 HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example\r\n"
        "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-a\r\n\r\n");
    const std::string answer = client.read_until("\r\n\r\n");
    CHECK(RawClient::status(answer) == "204");
    CHECK(contains(answer, "Access-Control-Allow-Origin: https://app.example\r\n"));
    CHECK(contains(answer, "Access-Control-Allow-Headers: x-a\r\n"));
    client.forget();
    client.send(get("/", "Origin: https://app.example\r\n"));
    CHECK(
        contains(client.read_until("[]"), "Access-Control-Allow-Origin: https://app.example\r\n"));
  }

  TEST_CASE("an address that others reach needs a token") {
    CHECK(contains(toolkit::testing::refusal_of([] { Server server({.host = "0.0.0.0"}, echo()); }),
                   "token is needed"));
    Server server({.host = "0.0.0.0", .access = {.token = "t"}}, echo());
    RawClient client(server.port());
    client.send(get("/"));
    CHECK(contains(client.read_until("\r\n\r\n"), "WWW-Authenticate: Bearer"));
    RawClient known(server.port());
    known.send("GET / HTTP/1.1\r\nHost: any.example\r\nAuthorization: Bearer t\r\n\r\n");
    CHECK(RawClient::status(known.read_until("[]")) == "200");
  }

  TEST_CASE("200 clients at once are served by one thread of sockets") {
    Server server({}, echo());
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 200; ++i) clients.push_back(std::make_unique<RawClient>(server.port()));
    for (int i = 0; i < 200; ++i) clients[i]->send(get("/" + std::to_string(i)));
    for (int i = 0; i < 200; ++i)
      CHECK(contains(clients[i]->read_until("[]"), "GET /" + std::to_string(i) + " []"));
    CHECK(server.connections() == 200);
  }
}
