#include <unistd.h>

#include "core/base/testing.h"
#include "core/monitor/sources/ollama_answers.h"
#include "core/monitor/sources/proxy_requests.h"
#include "core/monitor/sources/runners.h"

namespace toolkit::monitor {

TEST_SUITE_BEGIN("unit");

TEST_CASE("Ollama's loaded models") {
  const auto loaded = parse_ollama_ps(Json::parse(R"({"models": [
    {"name": "deepseek-r1:14b", "model": "deepseek-r1:14b", "size": 9012345678,
     "digest": "abc123", "details": {"family": "deepseek", "parameter_size": "14B",
     "quantization_level": "Q4_K_M"}, "expires_at": "2025-01-12T00:00:00Z",
     "size_vram": 8000000000, "context_length": 4096},
    {"name": "far:cloud", "remote_host": "https://ollama.com", "size": 0},
    {"name": "cpu", "size": 1000, "expires_at": "2025-01-12T01:00:00.5+01:00"}, 7]})"));
  REQUIRE(loaded);
  REQUIRE(loaded->models.size() == 2);
  const LoadedModel& model = loaded->models[0];
  CHECK(model.name == "deepseek-r1:14b");
  CHECK(model.size_bytes == 9'012'345'678);
  CHECK(model.gpu_bytes == 8'000'000'000);
  CHECK(model.context_length == 4096);
  CHECK(model.parameters == "14B");
  CHECK(model.expires_at_s == 1'736'640'000);
  CHECK(loaded->models[1].gpu_bytes == 0);
  CHECK(loaded->models[1].expires_at_s == 1'736'640'000);
  CHECK(parse_ollama_ps(Json::parse(R"({"models": null})"))->models.empty());
  CHECK(!parse_ollama_ps(Json::parse(R"({"error": "x"})")));
  CHECK(!parse_ollama_ps(Json::parse("[]")));
}

TEST_CASE("times that are none") {
  for (const char* text :
       {"", "yesterday", "2025-13-01T00:00:00Z", "2025-01-01T25:00:00Z", "2025-01-01T00:00:00"})
    CHECK(!parse_time(text));
  CHECK(parse_time("1970-01-01T00:00:00-01:30") == 5400);
}

TEST_CASE("names from a server are fit for a terminal") {
  CHECK(text_of(Json{{"name", "a\x1b[2Jb"}}, "name") == "a\\x1b[2Jb");
}

TEST_CASE("runners by their words") {
  const Runner go =
      runner_of({"/usr/bin/ollama", "runner", "--model", "/m/sha256-ab", "--port", "4567"});
  CHECK(go.port == 4567);
  CHECK(go.model == "/m/sha256-ab");
  CHECK(runner_of({"/x/llama-server", "--model", "/m/blobs/sha256-ab", "--port", "1234"}).port ==
        1234);
  CHECK(runner_of({"llama-server", "-m", "/home/me/own.gguf", "--port", "1234"}).port == 0);
  CHECK(runner_of({"ollama", "serve", "--port", "1234"}).port == 0);
  CHECK(runner_of({"ollama", "runner", "--port", "123456"}).port == 0);
  CHECK(runner_of({}).port == 0);
}

#ifdef __linux__
TEST_CASE("runners are found in /proc with their processor time") {
  using namespace std::string_literals;
  testing::TestingFolder folder;
  folder.write("proc/42/cmdline",
               "ollama\0runner\0--model\0/m/sha256-ab\0--port\0"
               "4567\0"s);
  folder.write("proc/42/stat", "42 (oll) ama) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0\n");
  folder.write("proc/43/cmdline", "bash\0"s);
  folder.write("proc/self/cmdline", "x");
  const auto runners = find_runners(folder.path);
  REQUIRE(runners.size() == 1);
  CHECK(runners[0].pid == 42);
  CHECK(runners[0].port == 4567);
  CHECK(processor_seconds(folder.path, runners[0].pid) ==
        doctest::Approx(300.0 / ::sysconf(_SC_CLK_TCK)));
}
#endif

TEST_CASE("a runner's blob is named by the manifests") {
  testing::TestingFolder folder;
  const std::string hex(64, 'a'), config(64, 'b');
  folder.write(
      "manifests/registry.ollama.ai/library/smollm2/135m",
      R"({"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",
               "config":{"mediaType":"application/vnd.docker.container.image.v1+json","digest":"sha256:)" +
          config + R"(","size":1},"layers":[{"mediaType":"application/vnd.ollama.image.model",
               "digest":"sha256:)" +
          hex + R"(","size":5}]})");
  CHECK(model_of_blob(folder.path, "/x/blobs/sha256-" + hex, {"other:1b", "smollm2:135m"}) ==
        "smollm2:135m");
  CHECK(model_of_blob(folder.path, "/x/blobs/sha256-" + config, {"smollm2:135m"}) == "");
}

TEST_CASE("the proxy's requests go to JSON and back") {
  ProxyRequests requests{.upstream = "http://127.0.0.1:11434", .started = "now"};
  requests.running.push_back({.id = "1",
                              .model = "m",
                              .quality = Quality::kLive,
                              .tokens = 12,
                              .tokens_per_second = 33.5});
  requests.finished.push_back({3, {.model = "m", .quality = Quality::kExact, .tokens = 64}});
  const ProxyRequests back = parse_proxy_requests(to_json(requests));
  CHECK(back.upstream == requests.upstream);
  REQUIRE(back.running.size() == 1);
  CHECK(back.running[0].tokens_per_second == 33.5);
  CHECK(back.running[0].server == requests.upstream);
  CHECK(back.running[0].way == Way::kProxy);
  REQUIRE(back.finished.size() == 1);
  CHECK(back.finished[0].sequence == 3);
  CHECK(back.finished[0].request.quality == Quality::kExact);
  CHECK(!back.finished[0].request.tokens_per_second);
  CHECK(testing::refusal_of([] { parse_proxy_requests(Json::parse(R"({"a": 1})")); }) != "");
}

TEST_SUITE_END();

}  // namespace toolkit::monitor
