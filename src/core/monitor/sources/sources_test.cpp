#include <map>
#include <mutex>

#include "core/base/testing.h"
#include "core/http/testing/loopback_server.h"
#include "core/monitor/sources/source.h"

namespace toolkit::monitor {

namespace {

using http::testing::Answer;
using http::testing::LoopbackServer;
using http::testing::Received;

/// A server that answers these paths, changed while it runs; 404 for others.
struct Pages {
  std::mutex mutex;
  std::map<std::string, Answer> pages;
  void set(const std::string& path, const std::string& body) { set(path, Answer{.body = body}); }
  void set(const std::string& path, const Answer& answer) {
    const std::lock_guard lock(mutex);
    pages[path] = answer;
  }
  std::function<Answer(const Received&)> handler() {
    return [this](const Received& request) {
      const std::lock_guard lock(mutex);
      const auto found = pages.find(request.target);
      return found == pages.end() ? Answer{.status = 404} : found->second;
    };
  }
};

std::string ps(const std::string& expires_at = "2026-01-01T00:00:00Z") {
  return R"({"models": [{"name": "smollm2:135m", "size": 300, "size_vram": 100, "expires_at": ")" +
         expires_at + R"("}]})";
}

OllamaPlaces places(const testing::TestingFolder& folder) {
  return {.log = folder.path / "server.log",
          .models = folder.path / "models",
          .process_root = folder.path};
}

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("an Ollama with a new runner: model and live speed by its slots") {
  testing::TestingFolder folder;
  Pages ollama, runner;
  ollama.set("/api/ps", ps());
  ollama.set("/api/version", R"({"version": "0.33.0"})");
  LoopbackServer ollama_server(ollama.handler()), runner_server(runner.handler());
  const std::string port = runner_server.origin().substr(runner_server.origin().rfind(':') + 1);
  std::string words = "/x/llama-server --model /m/sha256-ab --port " + port;
  for (char& letter : words)
    if (letter == ' ') letter = '\0';
  folder.write("proc/77/cmdline", words + '\0');
  const auto source = ollama_source(ollama_server.origin(), places(folder));
  for (int look = 0; look < 3; ++look) {
    runner.set("/slots", R"([{"id": 0, "id_task": 1, "is_processing": true, "next_token":
                         [{"n_decoded": )" +
                             std::to_string(10 + 25 * look) + "}]}]");
    const ServerState state = source->look(100 + look);
    CHECK(state.reachable);
    CHECK(state.version == "0.33.0");
    REQUIRE(state.models.size() == 1);
    CHECK(state.models[0].name == "smollm2:135m");
    CHECK(state.models[0].gpu_bytes == 100);
    REQUIRE(state.running.size() == 1);
    CHECK(state.running[0].model == "smollm2:135m");
    CHECK(state.running[0].server == ollama_server.origin());
    if (look == 2) CHECK(state.running[0].tokens_per_second.value() == doctest::Approx(25));
  }
}

TEST_CASE("an old Ollama: a busy runner is seen without a speed and the end of a request") {
  testing::TestingFolder folder;
  Pages ollama, runner;  // the runner has no /slots
  ollama.set("/api/ps", ps());
  LoopbackServer ollama_server(ollama.handler()), runner_server(runner.handler());
  const std::string port = runner_server.origin().substr(runner_server.origin().rfind(':') + 1);
  std::string words = "/x/ollama runner --model /m/sha256-ab --port " + port;
  for (char& letter : words)
    if (letter == ' ') letter = '\0';
  folder.write("proc/77/cmdline", words + '\0');
  folder.write("proc/77/stat", "77 (ollama) S 1 2 3 4 5 6 7 8 9 10 100 0 0\n");
  const auto source = ollama_source(ollama_server.origin(), places(folder));
  CHECK(source->look(100).running.empty());
  folder.write("proc/77/stat", "77 (ollama) S 1 2 3 4 5 6 7 8 9 10 700 0 0\n");
  const ServerState busy = source->look(103);
  REQUIRE(busy.running.size() == 1);
  CHECK(busy.running[0].way == Way::kHint);
  CHECK(!busy.running[0].tokens_per_second);
  CHECK(busy.finished.empty());
  ollama.set("/api/ps", ps("2026-01-01T00:05:00Z"));
  const ServerState ended = source->look(106);
  REQUIRE(ended.finished.size() == 1);
  CHECK(ended.finished[0].quality == Quality::kUnknown);
  CHECK(ended.running.empty());
}

TEST_CASE("an Ollama that is gone or answers garbage and comes back") {
  testing::TestingFolder folder;
  Pages pages;
  pages.set("/api/ps", "<html>busy</html>");
  LoopbackServer server(pages.handler());
  const auto source = ollama_source(server.origin(), places(folder));
  ServerState state = source->look(1);
  CHECK(!state.reachable);
  CHECK(testing::contains(state.trouble, "JSON"));
  pages.set("/api/ps", R"({"models": 3})");
  state = source->look(2);
  CHECK(state.failures == 2);
  CHECK(testing::contains(state.trouble, "Ollama"));
  pages.set("/api/ps", Answer{.status = 500, .body = "no"});
  CHECK(testing::contains(source->look(3).trouble, "500"));
  pages.set("/api/ps", Answer{.no_answer = true});
  CHECK(!source->look(4).trouble.empty());
  pages.set("/api/ps", ps());
  state = source->look(5);
  CHECK(state.reachable);
  CHECK(state.failures == 0);
}

TEST_CASE("what listens at a URL is found out") {
  testing::TestingFolder folder;
  Pages llama, toolkit, proxy, other;
  llama.set("/slots", "[]");
  llama.set("/v1/models", R"({"data": [{"id": "/models/qwen.gguf"}]})");
  toolkit.set("/api/version", R"({"version": "0.9.6"})");  // it speaks Ollama's way as well
  toolkit.set("/metrics", "toolkit_build_info{version=\"0.1.0\"} 1\n");
  proxy.set("/mlx-dash/requests",
            R"({"program": "mlx-dash", "upstream": "http://u", "started": "t", "running": []})");
  LoopbackServer llama_server(llama.handler()), toolkit_server(toolkit.handler()),
      proxy_server(proxy.handler()), other_server(other.handler());
  const ServerState seen = detected_source(llama_server.origin(), places(folder))->look(1);
  CHECK(seen.kind == ServerKind::kLlamaServer);
  REQUIRE(seen.models.size() == 1);
  CHECK(seen.models[0].name == "qwen.gguf");
  CHECK(detected_source(toolkit_server.origin(), places(folder))->look(1).kind ==
        ServerKind::kToolkit);
  CHECK(detected_source(proxy_server.origin(), places(folder))->look(1).kind == ServerKind::kProxy);
  const ServerState none = detected_source(other_server.origin(), places(folder))->look(1);
  CHECK(!none.reachable);
  CHECK(testing::contains(none.trouble, "none of"));
}

TEST_CASE("counters of a server without slots give an estimate") {
  Pages pages;
  pages.set("/metrics", "llamacpp:tokens_predicted_total 100\n");
  LoopbackServer server(pages.handler());
  const auto source = llama_server_source(server.origin());
  CHECK(source->look(1).running.empty());
  pages.set("/metrics", "llamacpp:tokens_predicted_total 160\n");
  const ServerState state = source->look(3);
  REQUIRE(state.running.size() == 1);
  CHECK(state.running[0].tokens_per_second == 30);
  CHECK(state.running[0].quality == Quality::kEstimated);
}

TEST_CASE("mlx-toolkit serve tells the speed of every request and the tokens of a stretch") {
  Pages pages;
  const auto metrics = [](int running, const std::string& requests, int tokens) {
    return "toolkit_build_info{version=\"0.1.0\"} 1\n"
           "toolkit_model_memory_bytes{model_name=\"tiny\"} 270000000\n"
           "toolkit_num_requests_running{model_name=\"tiny\"} " +
           std::to_string(running) + "\n" + requests +
           "toolkit_generation_tokens_total{model_name=\"tiny\"} " + std::to_string(tokens) + "\n";
  };
  pages.set("/metrics", metrics(0, "", 1000));
  LoopbackServer server(pages.handler());
  const auto source = toolkit_source(server.origin());
  ServerState state = source->look(1);
  CHECK(state.version == "0.1.0");
  REQUIRE(state.models.size() == 1);
  CHECK(state.models[0].size_bytes == 270'000'000);
  CHECK(state.running.empty());
  CHECK(state.finished.empty());
  pages.set(
      "/metrics",
      metrics(2, "toolkit_request_tokens_per_second{model_name=\"tiny\",request=\"7\"} 31.5\n",
              1040));
  state = source->look(2);
  REQUIRE(state.running.size() == 2);
  CHECK(state.running[0].tokens_per_second == 31.5);
  CHECK(state.running[0].quality == Quality::kLive);
  CHECK(state.running[1].reading_prompt);
  pages.set("/metrics", metrics(0, "", 1060));
  state = source->look(3);
  REQUIRE(state.finished.size() == 1);
  CHECK(state.finished[0].tokens == 60);
  CHECK(state.finished[0].tokens_per_second == 30);
  pages.set("/metrics", "something_else 1\n");
  CHECK(!source->look(4).reachable);
}

TEST_CASE("a proxy tells what ended once and forgets with its restart") {
  Pages pages;
  const auto answer = [](const std::string& started, int last) {
    return R"({"program": "mlx-dash", "upstream": "http://u", "started": ")" + started +
           R"(", "finished": [{"sequence": )" + std::to_string(last) +
           R"(, "model": "m", "tokens": 64, "tokens_per_second": 40, "quality": "exact"}]})";
  };
  pages.set("/mlx-dash/requests", answer("a", 1));
  LoopbackServer server(pages.handler());
  const auto source = proxy_source(server.origin());
  CHECK(source->look(1).finished.empty());
  CHECK(source->look(2).finished.empty());
  pages.set("/mlx-dash/requests", answer("a", 2));
  CHECK(source->look(3).finished.size() == 1);
  CHECK(source->look(4).finished.empty());
  pages.set("/mlx-dash/requests", answer("b", 1));
  CHECK(source->look(5).finished.size() == 1);
}

TEST_SUITE_END();

}  // namespace toolkit::monitor
