#include "core/monitor/sources/server_log.h"

#include "core/base/testing.h"
#include "core/monitor/sources/log_requests.h"

namespace toolkit::monitor {

namespace {

using Kind = LogEvent::Kind;

constexpr const char* kProgress =
    "slot print_timing: id  0 | task 7 | n_decoded =   128, tg =  41.20 t/s, tg_3s =  40.75 t/s";

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("lines of llama-server in Ollama's log") {
  const auto progress = parse_log_line(kProgress);
  REQUIRE(progress);
  CHECK(progress->kind == Kind::kProgress);
  CHECK(progress->tokens == 128);
  CHECK(progress->tokens_per_second == 40.75);
  const auto older = parse_log_line("slot print_timing: n_decoded = 2754, tg = 4.20 t/s");
  REQUIRE(older);
  CHECK(older->tokens_per_second == 4.20);
  const auto prompt = parse_log_line(
      "prompt eval time =     250.00 ms /    50 tokens (    5.00 ms per token,   200.00 tokens "
      "per second)");
  REQUIRE(prompt);
  CHECK(prompt->kind == Kind::kPromptDone);
  CHECK(prompt->tokens_per_second == 200);
  const auto answer = parse_log_line(
      "       eval time =    1600.00 ms /    64 tokens (   25.00 ms per token,    40.00 tokens per "
      "second)");
  REQUIRE(answer);
  CHECK(answer->kind == Kind::kAnswerDone);
  CHECK(answer->tokens == 64);
  CHECK(answer->tokens_per_second == 40);
}

TEST_CASE("lines of Ollama itself") {
  const auto request = parse_log_line(
      "[GIN] 2026/11/26 - 10:00:00 | 200 |  4.2031s |       127.0.0.1 | POST     \"/api/chat\"");
  REQUIRE(request);
  CHECK(request->kind == Kind::kRequestDone);
  CHECK(request->path == "/api/chat");
  const auto runner = parse_log_line(
      R"(time=2026-11-26T10:00:00Z level=INFO msg="starting llama-server" cmd="/x/llama-server --model /m/sha256-ab --port 40123 --host 127.0.0.1")");
  REQUIRE(runner);
  CHECK(runner->kind == Kind::kRunnerStarted);
  CHECK(runner->port == 40123);
  const auto mlx =
      parse_log_line(R"(level=INFO msg="Prompt processing progress" processed=512 total=2048)");
  REQUIRE(mlx);
  CHECK(mlx->tokens == 512);
  CHECK(mlx->total == 2048);
}

TEST_CASE("other lines and broken ones say nothing") {
  for (const char* line : {"", "hello", "[GIN] nothing", "eval time = fast ms / 3 tokens",
                           " eval time = 0.00 ms / 3 tokens", "n_decoded = x, tg = y t/s",
                           "starting llama-server --port 99999999"})
    CHECK(!parse_log_line(line));
}

TEST_CASE("a tail begins at the end and lives through rotation and half lines") {
  testing::TestingFolder folder;
  const auto file = folder.write("server.log", "old line\n");
  LogTail tail(file);
  CHECK(tail.new_lines().empty());
  std::ofstream(file, std::ios::app) << "first\nhal";
  CHECK(tail.new_lines() == std::vector<std::string>{"first"});
  std::ofstream(file, std::ios::app) << "f\n";
  CHECK(tail.new_lines() == std::vector<std::string>{"half"});
  std::filesystem::rename(file, folder.path / "server-1.log");
  CHECK(tail.new_lines().empty());
  folder.write("server.log", "after rotation\n");
  CHECK(tail.new_lines() == std::vector<std::string>{"after rotation"});
  folder.write("server.log", "");  // cut
  CHECK(tail.new_lines().empty());
}

TEST_CASE("a line without end is not kept growing") {
  testing::TestingFolder folder;
  const auto file = folder.write("server.log", "");
  LogTail tail(file);
  tail.new_lines();
  for (int round = 0; round < 3; ++round) {
    std::ofstream(file, std::ios::app) << std::string(100'000, 'x');
    CHECK(tail.new_lines().empty());
  }
  std::ofstream(file, std::ios::app) << "\nnext\n";
  CHECK(tail.new_lines() == std::vector<std::string>{"next"});
}

TEST_CASE("a request of the log: its speed while it runs and the exact one at its end") {
  LogRequests requests("http://s");
  ServerState state;
  requests.look(10, {*parse_log_line(kProgress)}, "m", state);
  REQUIRE(state.running.size() == 1);
  CHECK(state.running[0].tokens_per_second == 40.75);
  CHECK(state.running[0].quality == Quality::kLive);
  state = {};
  requests.look(12, {}, "m", state);
  CHECK(state.running.size() == 1);
  state = {};
  requests.look(13, {*parse_log_line(" eval time = 1600.00 ms / 64 tokens")}, "m", state);
  CHECK(state.running.empty());
  REQUIRE(state.finished.size() == 1);
  CHECK(state.finished[0].quality == Quality::kExact);
  CHECK(state.finished[0].tokens_per_second == 40);
}

TEST_CASE("a request whose end was missed does not run for ever") {
  LogRequests requests("http://s");
  ServerState state;
  requests.look(10, {*parse_log_line(kProgress)}, "m", state);
  state = {};
  requests.look(30, {}, "m", state);
  CHECK(state.running.empty());
}

TEST_SUITE_END();

}  // namespace toolkit::monitor
