#include "core/model_store/ollama/server.h"

#include <doctest/doctest.h>

#include "core/base/testing.h"
#include "core/http/testing/loopback_server.h"

namespace toolkit::model_store::ollama {

namespace {

using http::testing::Answer;
using http::testing::LoopbackServer;
using http::testing::Received;
using testing::contains;
using testing::refusal_of;

http::ClientSettings once() {
  http::ClientSettings settings;
  settings.retry.attempts = 1;
  return settings;
}

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("the running Ollama is asked for version and models") {
  LoopbackServer server([](const Received& request) -> Answer {
    if (request.target == "/api/version") return {.body = R"({"version":"0.9.6"})"};
    if (request.target == "/api/tags")
      return {.body = R"({"models":[{"name":"a:latest","digest":"ab","size":7},{"size":3},5]})"};
    if (request.target == "/api/ps")
      return {.body = R"({"models":[{"name":"a:latest","digest":"ab","size":9}]})"};
    return {.status = 404};
  });
  http::Client client(once());
  Server ollama(client, server.origin());
  CHECK(ollama.version() == "0.9.6");
  CHECK(ollama.loaded().at(0).digest == "ab");
  const auto models = ollama.models();
  REQUIRE(models.size() == 1);
  CHECK(models[0].name == "a:latest");
  CHECK(models[0].size_bytes == 7);
}

TEST_CASE("nobody there is an answer for version and a next step for models") {
  http::Client client(once());
  Server ollama(client, "http://127.0.0.1:1");
  CHECK_FALSE(ollama.version());
  CHECK(ollama.loaded().empty());
  CHECK(contains(refusal_of([&] { ollama.models(); }, ErrorKind::kNetwork), "ollama serve"));
  CHECK(contains(refusal_of([&] { ollama.require(); }, ErrorKind::kNetwork), "ollama serve"));
}

TEST_CASE("a pull tells its progress, an error in the middle of a good answer is one") {
  std::string tail = "{\"status\":\"success\"}\n";
  LoopbackServer server([&](const Received& request) -> Answer {
    CHECK(contains(request.body, "\"model\":\"a:b\""));
    return {.body =
                "{\"status\":\"pulling manifest\"}\n"
                "{\"status\":\"pulling ab\",\"completed\":3,\"total\":9}\n" +
                tail};
  });
  http::Client client(once());
  Server ollama(client, server.origin());
  uint64_t done = 0, total = 0;
  const auto note = [&](const std::string&, uint64_t now, uint64_t all) {
    done = std::max(done, now), total = std::max(total, all);
  };
  ollama.pull("a:b", false, note);
  CHECK(done == 3);
  CHECK(total == 9);
  tail = "{\"error\":\"no \\u001b[31mspace\"}\n";
  const std::string message =
      refusal_of([&] { ollama.pull("a:b", false, note); }, ErrorKind::kNetwork);
  CHECK(contains(message, "space"));
  CHECK_FALSE(contains(message, "\x1b"));
  tail = "";
  CHECK(contains(refusal_of([&] { ollama.pull("a:b", false, note); }, ErrorKind::kNetwork),
                 "before 'success'"));
}

TEST_SUITE_END();

}  // namespace toolkit::model_store::ollama
