#include "core/monitor/messages.h"

#include "core/base/testing.h"

namespace toolkit::monitor {

namespace {

using testing::contains;

const Preferences kPreferences{.ollama_host = "http://127.0.0.1:11434"};

ServerState off(Failure failure = Failure::kAbsent, const std::string& trouble = "refused") {
  return {.url = "http://127.0.0.1:11434",
          .kind = ServerKind::kOllama,
          .trouble = trouble,
          .failure = failure,
          .failures = 3};
}

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("an Ollama that is not there: how to install it or how to start it") {
  Snapshot snapshot{.servers = {off()}};
  const auto missing = messages_about(snapshot, kPreferences, {}, false);
  REQUIRE(missing.size() == 1);
  CHECK(contains(missing[0].action, "https://ollama.com/download"));
  const auto stopped = messages_about(snapshot, kPreferences, {}, true);
  CHECK(contains(stopped[0].action, "ollama serve"));
  CHECK(contains(stopped[0].action, "every 4 s"));
}

TEST_CASE("an Ollama that answers with errors or slowly and another program on its port") {
  const auto message = [](Failure failure, const std::string& trouble) {
    const auto told = messages_about({.servers = {off(failure, trouble)}}, kPreferences, {}, true);
    REQUIRE(told.size() == 1);
    CHECK(contains(told[0].action, "Asked again every 4 s."));
    return told[0].text;
  };
  CHECK(contains(message(Failure::kStatus, "/api/ps answers with status 500"), "500"));
  CHECK(contains(message(Failure::kSlow, "no answer within 2 s"), "two seconds"));
  CHECK(contains(message(Failure::kForeign, "no JSON"), "is not Ollama: no JSON"));
}

TEST_CASE("a proxy alone is no server") {
  const Snapshot snapshot{
      .servers = {off(), {.url = "http://x", .kind = ServerKind::kProxy, .reachable = true}}};
  CHECK(messages_about(snapshot, kPreferences, {}, true).size() == 1);
}

TEST_CASE("a server that does not tell its speed: the proxy does") {
  Snapshot snapshot{.servers = {{.url = "http://x", .reachable = true}}};
  snapshot.running = {{.model = "m", .server = "http://x", .way = Way::kHint}};
  auto messages = messages_about(snapshot, kPreferences, {}, true);
  REQUIRE(messages.size() == 1);
  CHECK(messages[0].severity == Severity::kHint);
  CHECK(contains(messages[0].action, "`mlx-dash proxy`"));
  CHECK(contains(messages[0].action, "OLLAMA_HOST=127.0.0.1:11435"));
  snapshot.servers.push_back({.url = "http://y", .kind = ServerKind::kProxy, .reachable = true});
  messages = messages_about(snapshot, kPreferences, {}, true);
  CHECK(messages[0].action == "Programs with OLLAMA_HOST=127.0.0.1:11435 are counted.");
  snapshot.running[0].way = Way::kSlots;
  CHECK(messages_about(snapshot, kPreferences, {}, true).empty());
}

TEST_CASE("who uses another server is not bothered about Ollama") {
  Snapshot snapshot{.servers = {off(), {.url = "http://x", .reachable = true}}};
  CHECK(messages_about(snapshot, kPreferences, {}, true).empty());
  snapshot.servers.push_back({.url = "http://y", .trouble = "connection refused", .failures = 9});
  CHECK(messages_about(snapshot, kPreferences, {}, true).empty());
  snapshot.servers.back().failure = Failure::kForeign;
  CHECK(messages_about(snapshot, kPreferences, {}, true).size() == 1);
}

TEST_CASE("memory that runs out is told with the model and a smaller one") {
  Snapshot snapshot{.servers = {{.url = "http://x", .reachable = true}}};
  snapshot.machine.memory = {.total_bytes = 16'000'000'000, .available_bytes = 600'000'000};
  snapshot.servers[0].models = {{.name = "big:14b", .size_bytes = 9'000'000'000}};
  const std::vector<LoadedModel> installed = {{.name = "mid:8b", .size_bytes = 5'000'000'000},
                                              {.name = "small:3b", .size_bytes = 2'000'000'000},
                                              {.name = "tiny:1b", .size_bytes = 800'000'000}};
  const auto messages = messages_about(snapshot, kPreferences, installed, true);
  REQUIRE(messages.size() == 1);
  CHECK(messages[0].severity == Severity::kFault);
  CHECK(contains(messages[0].text, "big:14b holds 9"));
  CHECK(contains(messages[0].action, "ollama stop big:14b"));
  CHECK(contains(messages[0].action, "small:3b"));
  snapshot.machine.memory.available_bytes = 8'000'000'000;
  CHECK(messages_about(snapshot, kPreferences, installed, true).empty());
  snapshot.machine.memory.stall_percent = 35;
  CHECK(messages_about(snapshot, kPreferences, installed, true).size() == 1);
  snapshot.machine.memory = {};  // unknown is no alarm
  CHECK(messages_about(snapshot, kPreferences, installed, true).empty());
}

TEST_CASE("a model that is missing is brought by mlx-cache") {
  CHECK(contains(how_to_get_model("llama3.2:1b", ServerKind::kOllama),
                 "mlx-cache add ollama://llama3.2:1b"));
  CHECK(contains(how_to_get_model("org/model", ServerKind::kLlamaServer),
                 "mlx-cache add hf://org/model"));
}

TEST_CASE("pauses before the next try grow to half a minute") {
  CHECK(retry_seconds(1) == 1);
  CHECK(retry_seconds(3) == 4);
  CHECK(retry_seconds(100) == 30);
}

TEST_CASE("what a menu bar shows") {
  Snapshot snapshot{.servers = {{.url = "s"}}};
  CHECK(short_speed(snapshot) == "off");
  snapshot.servers[0].reachable = true;
  CHECK(short_speed(snapshot) == "idle");
  snapshot.running.push_back({.model = "m"});
  CHECK(short_speed(snapshot) == "... tok/s");
  snapshot.speed = {.tokens_per_second = 41.26, .quality = Quality::kLive};
  CHECK(short_speed(snapshot) == "41.3 tok/s");
  snapshot.speed.quality = Quality::kEstimated;
  CHECK(short_speed(snapshot) == "~41.3 tok/s");
}

TEST_CASE("the status in JSON says null for what is unknown") {
  Snapshot snapshot{.servers = {{.url = "s", .reachable = true, .models = {{.name = "m"}}}}};
  const Json json = to_json(snapshot);
  CHECK(json["tokens_per_second"].is_null());
  CHECK(json["quality"] == "unknown");
  CHECK(json["machine"]["gpu_use_percent"].is_null());
  CHECK(json["machine"]["memory_total_bytes"].is_null());
  CHECK(json["servers"][0]["models"][0]["size_bytes"].is_null());
}

TEST_SUITE_END();

}  // namespace toolkit::monitor
