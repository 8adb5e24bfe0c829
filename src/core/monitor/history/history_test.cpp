#include "core/monitor/history/history.h"

#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include "core/base/testing.h"
#include "core/monitor/history/export.h"

namespace toolkit::monitor {

namespace {

constexpr int64_t kNow = 1'790'000'000;

Sample sample(int64_t time_s, double speed, const std::string& model = "m") {
  return {.time_s = time_s,
          .model = model,
          .tokens_per_second = speed,
          .model_bytes = 4'000'000'000,
          .memory_used_bytes = 9'000'000'000};
}

void write(History& history, const std::vector<Sample>& samples,
           std::vector<Session> sessions = {}) {
  history.write(samples, sessions);
}

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("tables sessions and benchmarks have the columns that other programs read") {
  testing::TestingFolder folder;
  const auto file = folder.path / "deep" / "mlxdash.db";
  History::open(file);
  auto database = store::Database::open(file, store::OpenMode::kReadOnly);
  const auto columns = [&](const std::string& table) {
    std::string names;
    auto rows =
        database.prepare("SELECT name || ' ' || type FROM pragma_table_info('" + table + "')");
    while (rows.step()) names += rows.text(0) + ", ";
    return names;
  };
  CHECK(columns("sessions") ==
        "id INTEGER, model_name TEXT, started_at DATETIME, ended_at DATETIME, avg_tokens_per_sec "
        "REAL, total_tokens INTEGER, peak_memory_gb REAL, ");
  CHECK(
      columns("benchmarks") ==
      "id INTEGER, model_name TEXT, ran_at DATETIME, avg_tokens_per_sec REAL, p50_latency_ms REAL, "
      "p95_latency_ms REAL, peak_memory_gb REAL, prompt_count INTEGER, ");
}

TEST_CASE("sessions are written and grown in place") {
  testing::TestingFolder folder;
  History history = History::open(folder.path / "h.db");
  std::vector<Session> sessions = {
      {.model_name = "m", .started_at_s = kNow, .ended_at_s = kNow + 1, .total_tokens = 10}};
  history.write({}, sessions);
  CHECK(sessions[0].id == 1);
  sessions[0].ended_at_s = kNow + 60;
  sessions[0].total_tokens = 2400;
  sessions[0].avg_tokens_per_sec = 40;
  history.write({}, sessions);
  const auto read = history.sessions(kNow - 10, kNow + 10);
  REQUIRE(read.size() == 1);
  CHECK(read[0].ended_at_s == kNow + 60);
  CHECK(read[0].total_tokens == 2400);
  CHECK(read[0].avg_tokens_per_sec == 40);
  CHECK(!read[0].peak_memory_gb);
  CHECK(history.sessions(kNow + 61, kNow + 100).empty());
  auto database = store::Database::open(folder.path / "h.db", store::OpenMode::kReadOnly);
  auto row = database.prepare("SELECT started_at FROM sessions");
  REQUIRE(row.step());
  CHECK(row.text(0) == "2026-09-21 14:13:20");  // as CURRENT_TIMESTAMP writes it
}

TEST_CASE("resolution falls with age and means are by time") {
  testing::TestingFolder folder;
  History history = History::open(folder.path / "h.db");
  std::vector<Sample> samples;
  const int64_t old = kNow - 2 * 3600 - (kNow - 2 * 3600) % 60;
  for (int second = 0; second < 60; ++second) samples.push_back(sample(old + second, second));
  for (int second = 0; second < 60; ++second) samples.push_back(sample(kNow - 100 + second, 5));
  write(history, samples);
  history.compact(kNow, 30);
  CHECK(history.sample_count() == 60 + 6);
  const auto ten = history.samples(old, old + 59, "m");
  REQUIRE(ten.size() == 6);
  CHECK(ten[0].resolution_s == 10);
  CHECK(ten[0].tokens_per_second.value() == doctest::Approx(4.5));
  CHECK(ten[5].tokens_per_second.value() == doctest::Approx(54.5));
  CHECK(!ten[0].gpu_percent);  // never known: not zero
  history.compact(kNow + 25 * 3600, 30);
  const auto minute = history.samples(old, old + 59, "m");
  REQUIRE(minute.size() == 1);
  CHECK(minute[0].tokens_per_second.value() == doctest::Approx(29.5));
  history.compact(kNow + 8 * 86'400, 30);
  CHECK(history.samples(old - 600, old + 600, "m")[0].resolution_s == 600);
  history.compact(kNow + 31 * 86'400, 30);
  CHECK(history.sample_count() == 0);
}

TEST_CASE("what is older than the days kept goes, benchmarks stay") {
  testing::TestingFolder folder;
  History history = History::open(folder.path / "h.db");
  write(
      history, {},
      {{.model_name = "old", .started_at_s = kNow - 40 * 86'400, .ended_at_s = kNow - 39 * 86'400},
       {.model_name = "new", .started_at_s = kNow - 100, .ended_at_s = kNow}});
  history.add_benchmark({.model_name = "old", .ran_at_s = kNow - 40 * 86'400, .details = "{}"});
  history.compact(kNow, 30);
  CHECK(history.sessions(0, kNow).size() == 1);
  CHECK(history.benchmarks().size() == 1);
}

TEST_CASE("a chart gets as many points as it can show") {
  testing::TestingFolder folder;
  History history = History::open(folder.path / "h.db");
  std::vector<Sample> samples;
  for (int second = 0; second < 3000; ++second) {
    samples.push_back(sample(kNow + second, 40));
    samples.push_back(sample(kNow + second, 10, "n"));
  }
  write(history, samples);
  const auto shown = history.samples(kNow, kNow + 3000, "m", 100);
  CHECK(shown.size() >= 100);
  CHECK(shown.size() <= 102);
  CHECK(shown[50].tokens_per_second == 40);
  CHECK(history.samples(kNow, kNow + 3000, "", 100).size() >= 200);
}

TEST_CASE("statistics by model weigh speeds by tokens") {
  testing::TestingFolder folder;
  History history = History::open(folder.path / "h.db");
  write(history, {},
        {{.model_name = "m",
          .started_at_s = kNow,
          .ended_at_s = kNow + 10,
          .avg_tokens_per_sec = 10,
          .total_tokens = 100},
         {.model_name = "m",
          .started_at_s = kNow,
          .ended_at_s = kNow + 20,
          .avg_tokens_per_sec = 40,
          .total_tokens = 300,
          .peak_memory_gb = 2},
         {.model_name = "m", .started_at_s = kNow, .ended_at_s = kNow + 5, .total_tokens = 0}});
  const auto statistics = history.statistics();
  REQUIRE(statistics.size() == 1);
  CHECK(statistics[0].sessions == 3);
  CHECK(statistics[0].seconds == 35);
  CHECK(statistics[0].avg_tokens_per_sec.value() == doctest::Approx(32.5));
  CHECK(statistics[0].best_tokens_per_sec == 40);
  CHECK(statistics[0].peak_memory_gb == 2);
}

TEST_CASE("export to JSON and CSV") {
  testing::TestingFolder folder;
  History history = History::open(folder.path / "h.db");
  write(history, {sample(kNow, 40)},
        {{.model_name = "a,\"b\"",
          .started_at_s = kNow,
          .ended_at_s = kNow + 10,
          .total_tokens = 7}});
  history.add_benchmark({.model_name = "m",
                         .ran_at_s = kNow,
                         .avg_tokens_per_sec = 41.5,
                         .prompt_count = 10,
                         .server = "http://s",
                         .details = R"({"x": 1})"});
  const Json all = history_json(history, kNow - 1, kNow + 20);
  CHECK(all["sessions"][0]["total_tokens"] == 7);
  CHECK(all["sessions"][0]["avg_tokens_per_sec"].is_null());
  CHECK(all["benchmarks"][0]["details"]["x"] == 1);
  CHECK(all["samples"][0]["tokens_per_second"] == 40);
  CHECK(testing::contains(history_csv(history, "sessions", 0, kNow + 20), "\"a,\"\"b\"\"\""));
  CHECK(testing::contains(history_csv(history, "benchmarks", 0, 0), "41.5"));
  CHECK(testing::contains(history_csv(history, "samples", kNow - 1, kNow + 1), ",40,"));
  CHECK(
      testing::contains(testing::refusal_of([&] { history_csv(history, "x", 0, 0); }), "sessions"));
}

#ifndef __SANITIZE_THREAD__
TEST_CASE("kill -9 while writing leaves a whole database with all but the last write") {
  testing::TestingFolder folder;
  const auto file = folder.path / "h.db";
  int pipe_ends[2];
  REQUIRE(::pipe(pipe_ends) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    History history = History::open(file);
    for (int64_t second = 0;; ++second) {
      write(history, {sample(kNow + second, 1)});
      if (::write(pipe_ends[1], &second, sizeof second) < 0) ::_exit(1);
    }
  }
  ::close(pipe_ends[1]);
  int64_t written = -1;
  while (written < 30) REQUIRE(::read(pipe_ends[0], &written, sizeof written) == sizeof written);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  for (int64_t later = 0; ::read(pipe_ends[0], &later, sizeof later) == sizeof later;)
    written = later;
  ::close(pipe_ends[0]);
  History history = History::open(file);
  CHECK(history.sample_count() >= written + 1);
  auto database = store::Database::open(file, store::OpenMode::kReadOnly);
  CHECK(database.damage() == "");
}
#endif

TEST_SUITE_END();

}  // namespace toolkit::monitor
