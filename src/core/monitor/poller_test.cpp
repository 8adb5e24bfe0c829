#include "core/monitor/poller.h"

#include <atomic>
#include <chrono>
#include <thread>

#include "core/base/testing.h"

namespace toolkit::monitor {

namespace {

/// Answers with what it is told; may take its time.
struct Scripted : Source {
  explicit Scripted(std::function<ServerState(int look)> given) : answer(std::move(given)) {}
  ServerState look(double) override { return answer(looks++); }
  std::function<ServerState(int)> answer;
  int looks = 0;
};

struct QuietSensors : platform::Sensors {
  std::vector<platform::GpuReading> gpus() override { return {{.name = "GPU", .use_percent = 50}}; }
  platform::TemperatureReading temperatures() override { return {.cpu_c = 44}; }
  std::optional<double> power_w() override { return std::nullopt; }
  std::optional<double> cpu_use_percent() override { return 12; }
  platform::MemoryReading memory() override { return {.total_bytes = 100, .available_bytes = 60}; }
};

Poller::Parts parts(std::vector<std::function<ServerState(int)>> answers) {
  Poller::Parts made{.sensors = std::make_unique<QuietSensors>()};
  for (auto& answer : answers)
    made.sources.push_back(std::make_unique<Scripted>(std::move(answer)));
  return made;
}

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("looks are quick while something runs and seldom when nothing happens") {
  const Preferences preferences;
  ServerState state{.reachable = true};
  CHECK(next_look_ms(state, 0, preferences) == 1000);
  CHECK(next_look_ms(state, 100, preferences) == 2000);
  CHECK(next_look_ms(state, 1000, preferences) == 5000);
  state.models.push_back({.name = "m"});
  CHECK(next_look_ms(state, 1000, preferences) == 1000);
  state.running.push_back({.model = "m"});
  CHECK(next_look_ms(state, 0, preferences) == 500);
  state = {.failures = 4};
  CHECK(next_look_ms(state, 0, preferences) == 8000);
}

TEST_CASE("a snapshot has servers and sensors and every end of a request once") {
  std::atomic<int> ends = 0, snapshots = 0;
  std::atomic<bool> saw_sensors = false;
  {
    Poller poller(
        {.polling_interval = 200, .speed_interval = 100},
        parts({[](int look) {
                 ServerState state{.url = "a", .reachable = true};
                 state.running.push_back({.id = "1", .model = "m", .server = "a"});
                 if (look == 1)
                   state.finished.push_back({.model = "m", .tokens = 5, .tokens_per_second = 7});
                 return state;
               },
               [](int) {
                 std::this_thread::sleep_for(std::chrono::milliseconds(600));  // slow
                 return ServerState{.url = "b", .failures = 1};
               }}),
        [&](const Snapshot& snapshot) {
          ++snapshots;
          ends += static_cast<int>(snapshot.finished.size());
          if (snapshot.machine.gpu_use_percent() == 50 && snapshot.machine.temperature_c() == 44)
            saw_sensors = true;
        });
    std::this_thread::sleep_for(std::chrono::milliseconds(900));
  }
  CHECK(snapshots >= 3);  // the slow server held nobody up
  CHECK(ends == 1);
  CHECK(saw_sensors);
}

TEST_CASE("one look for the status takes two where rates need them") {
  const Snapshot snapshot =
      look_once({}, parts({[](int look) {
                  ServerState state{.url = "a", .reachable = true};
                  RunningRequest request{.id = "1", .model = "m", .server = "a"};
                  if (look == 1) request.tokens_per_second = 33;
                  state.running.push_back(request);
                  return state;
                }}),
                /*pause_s=*/0.05);
  CHECK(snapshot.speed.tokens_per_second == 33);
  CHECK(snapshot.machine.cpu_use_percent == 12);
}

TEST_CASE("a request that has just begun is looked at once more for the status") {
  const auto looks = [](int with_speed_from) {
    int count = 0;
    look_once({}, parts({[&](int look) {
                count = look + 1;
                ServerState state{.url = "a", .reachable = true};
                RunningRequest request{.id = "1", .model = "m", .server = "a", .way = Way::kSlots};
                if (look >= with_speed_from) request.tokens_per_second = 33;
                state.running.push_back(request);
                return state;
              }}),
              /*pause_s=*/0.05);
    return count;
  };
  CHECK(looks(1) == 2);
  CHECK(looks(2) == 3);
  CHECK(looks(9) == 3);
}

TEST_SUITE_END();

}  // namespace toolkit::monitor
