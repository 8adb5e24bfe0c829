#include "core/monitor/proxy/proxy.h"

#include <atomic>
#include <chrono>
#include <thread>

#include "core/base/testing.h"
#include "core/http/stream.h"
#include "core/http/testing/loopback_server.h"
#include "core/monitor/proxy/request_book.h"
#include "core/monitor/sources/source.h"

namespace toolkit::monitor {

namespace {

using http::testing::Answer;
using http::testing::LoopbackServer;
using http::testing::Received;

http::Response send(int port, const std::string& path, const std::string& body = "",
                    std::vector<http::Header> headers = {}) {
  http::Client client({.retry = {.attempts = 1}});
  return client.send({.method = body.empty() ? "GET" : "POST",
                      .url = http::parse_url("http://127.0.0.1:" + std::to_string(port) + path),
                      .headers = std::move(headers),
                      .body = body});
}

std::string ollama_answer() {
  std::string body;
  for (int piece = 0; piece < 20; ++piece)
    body += R"({"model":"m","message":{"content":")" + std::string(1000, 'a') +
            R"("},"done":false})" + "\n";
  return body + R"({"model":"m","done":true,"eval_count":20,"eval_duration":500000000})" + "\n";
}

/// Until `ready` or ten seconds are over.
template <class Ready>
bool wait_for(const Ready& ready) {
  for (int round = 0; round < 1000; ++round) {
    if (ready()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("bytes and status come back as the server sent them and Host is the server's") {
  LoopbackServer upstream([](const Received& request) {
    if (request.target == "/none?x=1") return Answer{.status = 404, .body = "no such thing"};
    return Answer{.headers = {{"X-Kind", "tea"}, {"Content-Type", "application/x-ndjson"}},
                  .body = ollama_answer()};
  });
  Proxy proxy({.upstream = upstream.origin(), .port = 0});
  const auto answer = send(proxy.port(), "/api/chat",
                           R"({"model": "m", "messages": ["my secret"]})", {{"X-Mine", "1"}});
  CHECK(answer.status == 200);
  CHECK(answer.body == ollama_answer());
  CHECK(answer.header("X-Kind") == "tea");
  CHECK(answer.header("Content-Type") == "application/x-ndjson");
  CHECK(send(proxy.port(), "/none?x=1").status == 404);
  const auto received = upstream.received();
  REQUIRE(received.size() == 2);
  CHECK("http://" + received[0].header("Host") == upstream.origin());
  CHECK(received[0].header("X-Mine") == "1");
  CHECK(testing::contains(received[0].body, "my secret"));
  REQUIRE(wait_for([&] { return proxy.requests().finished.size() == 1; }));
  const ProxyRequests requests = proxy.requests();
  CHECK(requests.finished[0].request.model == "m");
  CHECK(requests.finished[0].request.tokens == 20);
  CHECK(requests.finished[0].request.tokens_per_second == 40);
  CHECK(requests.finished[0].request.quality == Quality::kExact);
  CHECK(!testing::contains(to_json(requests).dump(), "secret"));
}

TEST_CASE("a request that runs is told live to the monitor's source") {
  LoopbackServer upstream(
      [](const Received&) { return Answer{.body = ollama_answer(), .pause_ms_per_kilobyte = 60}; });
  Proxy proxy({.upstream = upstream.origin(), .port = 0});
  std::thread client([&] { send(proxy.port(), "/api/chat", R"({"model": "m"})"); });
  const auto source = proxy_source("http://127.0.0.1:" + std::to_string(proxy.port()));
  bool live = false;
  wait_for([&] {
    for (const RunningRequest& one : source->look(1).running)
      live = live || (one.quality == Quality::kLive && one.tokens_per_second > 1 &&
                      one.model == "m" && one.server == upstream.origin());
    return live;
  });
  client.join();
  CHECK(live);
  CHECK(wait_for([&] { return proxy.requests().running.empty(); }));
}

TEST_CASE("a client that goes ends its request at the server") {
  LoopbackServer upstream([](const Received&) {
    return Answer{
        .body = std::string(1024, 'a') + "\n", .pause_ms_per_kilobyte = 10, .endless = true};
  });
  Proxy proxy({.upstream = upstream.origin(), .port = 0});
  size_t bytes = 0;
  http::stream(
      {.method = "POST",
       .url = http::parse_url("http://127.0.0.1:" + std::to_string(proxy.port()) + "/api/generate"),
       .body = "{}"},
      {.on_head = [](const http::Response&) { return true; },
       .on_bytes = [&](std::string_view text) { return (bytes += text.size()) < 5000; },
       .goes_on = [] { return true; }});
  CHECK(wait_for([&] { return proxy.requests().running.empty(); }));
}

TEST_CASE("a server that is gone is a 502 that says so and a foreign page is refused") {
  Proxy proxy({.upstream = "http://127.0.0.1:1", .port = 0});
  const auto answer = send(proxy.port(), "/api/tags");
  CHECK(answer.status == 502);
  CHECK(testing::contains(answer.body, "mlx-dash proxy"));
  CHECK(send(proxy.port(), kProxyPath, "", {{"Host", "evil.example"}}).status == 403);
  CHECK(send(proxy.port(), kProxyPath, "", {{"Origin", "https://evil.example"}}).status == 403);
  CHECK(testing::refusal_of([] { Proxy({.upstream = "nothing", .port = 0}); }) != "");
}

TEST_CASE("forms of answers by path and the model of a request") {
  CHECK(stream_form_of("/api/chat") == StreamForm::kOllama);
  CHECK(stream_form_of("/v1/messages") == StreamForm::kAnthropic);
  CHECK(stream_form_of("/v1/responses") == StreamForm::kOpenAi);
  CHECK(!stream_form_of("/api/pull"));
  CHECK(model_of_request(R"({"model": "m", "prompt": "x"})") == "m");
  CHECK(model_of_request("garbage") == "");
}

TEST_CASE("a line of over a mebibyte is passed over and the next ones count") {
  AnswerTap tap(StreamForm::kOllama);
  tap.bytes(R"({"response":"a"})"
            "\n",
            1);
  for (int part = 0; part < 30; ++part) tap.bytes(std::string(100'000, 'x'), 1);
  tap.bytes("\n", 1);
  tap.bytes(R"({"respo)", 1.5);
  tap.bytes(R"(nse":"b"})"
            "\n",
            2);
  CHECK(tap.reader().pieces() == 2);
  CHECK(tap.running().tokens_per_second == 1);
}

TEST_SUITE_END();

}  // namespace toolkit::monitor
