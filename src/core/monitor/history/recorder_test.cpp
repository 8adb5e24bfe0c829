#include "core/monitor/history/recorder.h"

#include "core/base/testing.h"

namespace toolkit::monitor {

namespace {

constexpr int64_t kNow = 1'790'000'000;

Snapshot at(double clock_s, int64_t shift_s = 0) {
  Snapshot snapshot{.time_s = kNow + static_cast<int64_t>(clock_s) + shift_s, .clock_s = clock_s};
  snapshot.servers.push_back({.url = "s", .reachable = true});
  return snapshot;
}

Snapshot loaded(double clock_s, int64_t shift_s = 0) {
  Snapshot snapshot = at(clock_s, shift_s);
  snapshot.servers[0].models.push_back({.name = "m", .size_bytes = 2'000'000'000});
  return snapshot;
}

Snapshot running(double clock_s, int64_t tokens, double speed, int64_t shift_s = 0) {
  Snapshot snapshot = loaded(clock_s, shift_s);
  snapshot.running.push_back({.model = "m",
                              .server = "s",
                              .way = Way::kSlots,
                              .quality = Quality::kLive,
                              .tokens = tokens,
                              .tokens_per_second = speed});
  return snapshot;
}

std::vector<Session> all(const History& history) {
  return history.sessions(0, kNow + 1'000'000);
}

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("a session from loading to unloading with its tokens") {
  testing::TestingFolder folder;
  Recorder recorder(folder.path / "h.db", 30);
  recorder.take(loaded(0));
  for (int second = 1; second <= 5; ++second) recorder.take(running(second, 40 * second, 40));
  Snapshot end = loaded(6);
  // The same answer, told by two ways.
  end.finished.push_back({.model = "m",
                          .server = "s",
                          .way = Way::kSlots,
                          .quality = Quality::kLive,
                          .tokens = 220,
                          .tokens_per_second = 40});
  end.finished.push_back({.model = "m",
                          .server = "s",
                          .way = Way::kLog,
                          .quality = Quality::kExact,
                          .tokens = 221,
                          .tokens_per_second = 39});
  recorder.take(end);
  for (int second = 7; second < 30; ++second) recorder.take(loaded(second));
  recorder.take(at(31));
  const History history = History::open_to_read(folder.path / "h.db");
  const auto sessions = all(history);
  REQUIRE(sessions.size() == 1);
  CHECK(sessions[0].model_name == "m");
  CHECK(sessions[0].total_tokens == 221);
  CHECK(sessions[0].avg_tokens_per_sec.value() == doctest::Approx(39));
  CHECK(sessions[0].peak_memory_gb == 2);
  CHECK(sessions[0].ended_at_s - sessions[0].started_at_s >= 20);
  CHECK(sessions[0].ended_at_s - sessions[0].started_at_s <= 30);
  const auto samples = history.samples(kNow + 1, kNow + 5, "m", 1000);
  REQUIRE(samples.size() == 5);
  CHECK(samples[2].tokens_per_second == 40);
}

TEST_CASE("a model that stays loaded: ten minutes without a request end the session") {
  testing::TestingFolder folder;
  Recorder recorder(folder.path / "h.db", 30);
  for (int second = 0; second < 900; second += 10) recorder.take(loaded(second));
  recorder.take(running(900, 5, 10));
  recorder.take(running(901, 15, 10));
  const auto sessions = all(History::open_to_read(folder.path / "h.db"));
  REQUIRE(sessions.size() == 2);
  CHECK(sessions[0].ended_at_s - sessions[0].started_at_s <= 610);
  CHECK(sessions[1].started_at_s == kNow + 900);
  CHECK(sessions[1].total_tokens == 15);
}

TEST_CASE("a clock that is set and a machine that slept end sessions and never bend them") {
  testing::TestingFolder folder;
  Recorder recorder(folder.path / "h.db", 30);
  for (int second = 0; second < 20; ++second) recorder.take(running(second, second, 10));
  // An hour back, as a clock that is set does.
  for (int second = 20; second < 40; ++second) recorder.take(running(second, second, 10, -3600));
  // Eight hours on, as a lid that was closed does: the clock that never goes back stood still.
  for (int second = 40; second < 60; ++second) recorder.take(running(second, second, 10, 8 * 3600));
  const auto sessions = all(History::open_to_read(folder.path / "h.db"));
  REQUIRE(sessions.size() == 3);
  for (const Session& session : sessions) {
    CHECK(session.ended_at_s - session.started_at_s >= 18);
    CHECK(session.ended_at_s - session.started_at_s <= 20);
  }
}

TEST_CASE("an idle machine is sampled seldom and only for its memory") {
  SessionTracker tracker;
  size_t samples = 0;
  for (int second = 0; second < 600; ++second) samples += tracker.take(at(second)).samples.size();
  CHECK(samples == 10);
}

TEST_CASE("a second recorder waits until the first has ended") {
  testing::TestingFolder folder;
  auto first = std::make_unique<Recorder>(folder.path / "h.db", 30);
  first->take(loaded(0));
  Recorder second(folder.path / "h.db", 30);
  second.take(loaded(1));
  CHECK(first->is_recording());
  CHECK(!second.is_recording());
  first.reset();
  second.take(loaded(20));
  CHECK(second.is_recording());
}

TEST_SUITE_END();

}  // namespace toolkit::monitor
