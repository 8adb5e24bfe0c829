#include "core/monitor/benchmark/benchmark.h"

#include <atomic>

#include "core/base/testing.h"
#include "core/http/testing/loopback_server.h"
#include "core/monitor/benchmark/energy_meter.h"
#include "core/monitor/benchmark/prompts.h"

namespace toolkit::monitor {

namespace {

using http::testing::Answer;
using http::testing::LoopbackServer;
using http::testing::Received;

Answer ollama(const Received& request) {
  if (request.target == "/api/version") return {.body = R"({"version": "0.9.6"})"};
  if (request.target == "/api/ps")
    return {.body = R"({"models": [{"name": "m:1b", "size": 1500000000}]})"};
  if (request.target != "/api/chat") return {.status = 404};
  const Json body = Json::parse(request.body);
  if (body["model"] != "m:1b") return {.status = 404, .body = R"({"error": "model not found"})"};
  return {.body = R"({"message":{"content":"a"},"done":false})"
                  "\n"
                  R"({"message":{"content":"b"},"done":false})"
                  "\n"
                  R"({"message":{"content":""},"done":true,"eval_count":)" +
                  body["options"]["num_predict"].dump() + R"(,"eval_duration":800000000})" + "\n"};
}

BenchmarkResult run(const BenchmarkOptions& options) {
  return run_benchmark(options, nullptr, [](const BenchmarkStep&) {});
}

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("ten prompts of varying length") {
  CHECK(standard_prompts().size() == 10);
  size_t shortest = 1000, longest = 0;
  for (const Prompt& prompt : standard_prompts()) {
    shortest = std::min(shortest, prompt.text.size());
    longest = std::max(longest, prompt.text.size());
  }
  CHECK(longest > 5 * shortest);
}

TEST_CASE("a benchmark of Ollama uses the server's own figures") {
  LoopbackServer server(ollama);
  std::vector<std::string> said;
  const BenchmarkResult result =
      run_benchmark({.url = server.origin(), .tokens = 32}, nullptr,
                    [&](const BenchmarkStep& step) { said.push_back(step.next); });
  CHECK(result.model == "m:1b");  // the loaded one
  CHECK(result.prompts.size() == 10);
  CHECK(result.prompts[0].is_exact);
  CHECK(result.answer_tokens == 32);
  CHECK(result.avg_tokens_per_sec.value() == doctest::Approx(40));
  CHECK(result.peak_memory_gb == 1.5);
  CHECK(!result.energy_j);
  CHECK(result.p95_latency_ms >= result.p50_latency_ms);
  REQUIRE(said.size() == 12);
  CHECK(said[0] == "warm-up");
  const BenchmarkRecord record = to_record(result, 5);
  CHECK(record.prompt_count == 10);
  CHECK(Json::parse(record.details)["prompts"].size() == 10);
}

TEST_CASE("slow models get shorter answers so that a minute is enough") {
  LoopbackServer server(ollama);  // the warm-up says 16 tokens in 0.8 s: 20 tokens a second
  const BenchmarkResult result =
      run({.url = server.origin(), .prompts = 2, .tokens = 64, .seconds = 2});
  CHECK(result.answer_tokens == 20);
}

TEST_CASE("a server with OpenAI's API is measured by our clock") {
  LoopbackServer server([](const Received& request) -> Answer {
    if (request.target == "/v1/models") return {.body = R"({"data": [{"id": "org/m"}]})"};
    if (request.target != "/v1/chat/completions") return {.status = 404};
    return {
        .body = "data: {\"choices\":[{\"delta\":{\"content\":\"" + std::string(1000, 'a') +
                "\"}}]}\n\n"
                "data: {\"choices\":[{\"delta\":{\"content\":\"" +
                std::string(1000, 'b') +
                "\"}}]}\n\n"
                "data: {\"choices\":[],\"usage\":{\"completion_tokens\":2}}\n\ndata: [DONE]\n\n",
        .pause_ms_per_kilobyte = 20};
  });
  const BenchmarkResult result = run({.url = server.origin(), .prompts = 1});
  CHECK(result.model == "org/m");
  REQUIRE(result.prompts.size() == 1);
  CHECK(!result.prompts[0].is_exact);
  CHECK(result.prompts[0].tokens == 2);
  CHECK(result.prompts[0].tokens_per_second.value() > 0);
  CHECK(result.prompts[0].first_token_s > 0);
  CHECK(result.prompts[0].first_token_s < result.prompts[0].latency_s);
}

TEST_CASE("a missing model and a missing server say what to do") {
  LoopbackServer server(ollama);
  const std::string missing = testing::refusal_of(
      [&] { run({.url = server.origin(), .model = "other:7b"}); }, ErrorKind::kNotFound);
  CHECK(testing::contains(missing, "mlx-cache add ollama://other:7b"));
  const std::string gone =
      testing::refusal_of([&] { run({.url = "http://127.0.0.1:1"}); }, ErrorKind::kNetwork);
  CHECK(testing::contains(gone, "ollama serve"));
}

TEST_CASE("percentiles by nearest rank") {
  CHECK(percentile({5, 1, 4, 2, 3}, 0.5) == 3);
  CHECK(percentile({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 0.95) == 10);
  CHECK(percentile({7}, 0.95) == 7);
  CHECK(percentile({}, 0.5) == 0);
}

TEST_CASE("energy is power by time and unknown without a sensor") {
  struct Steady : platform::Sensors {
    std::vector<platform::GpuReading> gpus() override { return {{.name = "G", .power_w = 100}}; }
    platform::TemperatureReading temperatures() override { return {}; }
    std::optional<double> power_w() override { return std::nullopt; }
    std::optional<double> cpu_use_percent() override { return std::nullopt; }
    platform::MemoryReading memory() override { return {}; }
  } steady;
  CHECK(!EnergyMeter(nullptr).joules());
  EnergyMeter meter(&steady);
  const auto joules = meter.joules();
  REQUIRE(joules);
  CHECK(*joules >= 0);
}

TEST_SUITE_END();

}  // namespace toolkit::monitor
