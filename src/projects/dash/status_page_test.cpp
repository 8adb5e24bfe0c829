#include "projects/dash/status_page.h"

#include "core/base/testing.h"

namespace toolkit::dash {

namespace {

using testing::contains;

monitor::Snapshot busy() {
  monitor::Snapshot snapshot{.time_s = 1'790'000'000};
  snapshot.servers.push_back({.url = "http://127.0.0.1:11434",
                              .kind = monitor::ServerKind::kOllama,
                              .reachable = true,
                              .version = "0.33.0",
                              .models = {{.name = "smollm2:135m",
                                          .parameters = "134.52M",
                                          .quantization = "Q4_1",
                                          .size_bytes = 300'000'000,
                                          .gpu_bytes = 100'000'000,
                                          .context_length = 4096,
                                          .expires_at_s = 1'790'000'230}}});
  snapshot.running.push_back({.model = "smollm2:135m"});
  snapshot.speed = {.tokens_per_second = 41.26, .quality = monitor::Quality::kLive};
  snapshot.machine.gpus = {{.name = "NVIDIA H200", .use_percent = 87}};
  snapshot.machine.temperatures.gpu_c = 61;
  snapshot.machine.memory = {.total_bytes = 16'000'000'000, .available_bytes = 8'000'000'000};
  return snapshot;
}

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("the page of a busy machine") {
  const std::string page = to_page(busy(), {}, false);
  CHECK(contains(page, "41.3 tok/s (live), 1 request, smollm2:135m"));
  CHECK(contains(page, "smollm2:135m (134.52M Q4_1)"));
  CHECK(contains(page, "300 MB, 33 % on the GPU, context 4096, unloads in 4 min"));
  CHECK(contains(page, "NVIDIA H200, use 87 %"));
  CHECK(contains(page, "GPU 61 °C, processor unknown"));
  CHECK(contains(page, "power        unknown"));
  CHECK(contains(page, "8.00 GB free of 16.0 GB"));
  CHECK(contains(page, "Ollama 0.33.0 at http://127.0.0.1:11434"));
  CHECK(!contains(page, "\x1b["));
  CHECK(contains(to_page(busy(), {.temperature_unit = "fahrenheit"}, false), "142 °F"));
}

TEST_CASE("what is unknown is said and never shown as zero") {
  monitor::Snapshot snapshot;
  const std::string page = to_page(snapshot, {}, false);
  CHECK(contains(page, "no server answers"));
  CHECK(contains(page, "GPU          unknown"));
  CHECK(contains(page, "memory       unknown"));
  CHECK(!contains(page, " 0 "));
  snapshot = busy();
  snapshot.speed = {};
  snapshot.servers[0].models[0].size_bytes.reset();
  const std::string other = to_page(snapshot, {}, false);
  CHECK(contains(other, "generating, speed unknown"));
  CHECK(contains(other, "memory unknown"));
}

TEST_CASE("a server that is not reachable is shown with why") {
  monitor::Snapshot snapshot = busy();
  const auto shown = [&](monitor::Failure failure) {
    snapshot.servers[0].reachable = false;
    snapshot.servers[0].failure = failure;
    return to_page(snapshot, {.ollama_host = "127.0.0.1:11434"}, false);
  };
  CHECK(contains(shown(monitor::Failure::kAbsent), ":11434: does not answer\n"));
  CHECK(contains(shown(monitor::Failure::kSlow), ":11434: takes over two seconds"));
  CHECK(contains(shown(monitor::Failure::kStatus), ":11434: answers with an error"));
  CHECK(contains(shown(monitor::Failure::kForeign), ":11434: another program answers"));
}

TEST_CASE("messages come with what to do") {
  monitor::Snapshot snapshot = busy();
  snapshot.messages.push_back({"k", monitor::Severity::kFault, "Trouble.", "Do this."});
  CHECK(contains(to_page(snapshot, {}, false), "\nTrouble.\nDo this.\n"));
  CHECK(contains(to_page(snapshot, {}, true), "\x1b[31mTrouble.\x1b[0m"));
  CHECK(contains(to_line(snapshot), "41.3 tok/s"));
}

TEST_SUITE_END();

}  // namespace toolkit::dash
