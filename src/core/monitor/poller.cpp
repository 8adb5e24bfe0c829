#include "core/monitor/poller.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/model_store/utc_time.h"
#include "core/monitor/installed.h"
#include "core/monitor/messages.h"

namespace toolkit::monitor {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr double kShortlyIdleSeconds = 30, kLongIdleSeconds = 300;
constexpr double kInstalledSeconds = 60;

double now_clock_s() {
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

/// Sensors, each group at its own interval.
class MachineReader {
 public:
  MachineReader(const Preferences& preferences, std::unique_ptr<platform::Sensors> sensors)
      : preferences_(preferences), sensors_(std::move(sensors)) {}

  const MachineReading& read(double clock_s) {
    if (due(memory_s_, clock_s, preferences_.memory_interval)) {
      reading_.gpus = sensors_->gpus();
      reading_.memory = sensors_->memory();
      reading_.power_w = sensors_->power_w();
      reading_.cpu_use_percent = sensors_->cpu_use_percent();
    }
    if (due(temperature_s_, clock_s, preferences_.temperature_interval))
      reading_.temperatures = sensors_->temperatures();
    return reading_;
  }

 private:
  static bool due(double& last_s, double clock_s, int interval_ms) {
    if (clock_s - last_s < interval_ms / 1000.0 - 0.05) return false;
    last_s = clock_s;
    return true;
  }
  const Preferences& preferences_;
  std::unique_ptr<platform::Sensors> sensors_;
  MachineReading reading_;
  double memory_s_ = -1e9, temperature_s_ = -1e9;
};

/// What every snapshot needs beside the servers' states.
class Composer {
 public:
  explicit Composer(const Preferences& preferences) : preferences_(preferences) {}

  Snapshot compose(double clock_s, std::vector<ServerState> servers,
                   const MachineReading& machine) {
    Snapshot snapshot{.time_s = model_store::now_s(),
                      .clock_s = clock_s,
                      .servers = std::move(servers),
                      .machine = machine};
    std::vector<RunningRequest> running;
    for (ServerState& server : snapshot.servers) {
      running.insert(running.end(), server.running.begin(), server.running.end());
      snapshot.finished.insert(snapshot.finished.end(), server.finished.begin(),
                               server.finished.end());
    }
    snapshot.running = merged(running);
    snapshot.speed = total_speed(snapshot.running);
    for (const FinishedRequest& request : snapshot.finished)
      if (request.tokens_per_second) last_ = request;
    snapshot.last = last_;
    if (memory_runs_out(machine.memory, preferences_)) refresh_installed(clock_s);
    snapshot.messages = messages_about(snapshot, preferences_, installed_, ollama_is_installed_);
    return snapshot;
  }

 private:
  void refresh_installed(double clock_s) {
    if (clock_s - installed_s_ < kInstalledSeconds) return;
    installed_s_ = clock_s;
    std::string ignored;
    installed_ = installed_models(preferences_.ollama_url(), ignored);
  }

  const Preferences& preferences_;
  std::optional<FinishedRequest> last_;
  std::vector<LoadedModel> installed_;
  double installed_s_ = -1e9;
  const bool ollama_is_installed_ = is_in_path("ollama");
};

bool has_request_without_speed(const ServerState& state) {
  return std::any_of(state.running.begin(), state.running.end(), [](const auto& request) {
    return request.way != Way::kHint && !request.tokens_per_second;
  });
}

}  // namespace

int next_look_ms(const ServerState& state, double idle_seconds, const Preferences& preferences) {
  if (!state.reachable) return 1000 * retry_seconds(state.failures);
  if (!state.running.empty()) return preferences.speed_interval;
  if (idle_seconds < kShortlyIdleSeconds) return preferences.polling_interval;
  const int factor = idle_seconds < kLongIdleSeconds ? 2 : 5;
  // A loaded model may be asked any moment.
  return preferences.polling_interval * (state.models.empty() ? factor : 1);
}

struct Poller::State {
  State(const Preferences& given, Parts given_parts, OnSnapshot given_call)
      : preferences(given),
        sources(std::move(given_parts.sources)),
        reader(preferences, std::move(given_parts.sensors)),
        on_snapshot(std::move(given_call)),
        states(sources.size()) {}

  const Preferences preferences;
  std::vector<std::unique_ptr<Source>> sources;
  MachineReader reader;
  OnSnapshot on_snapshot;
  std::mutex mutex;
  std::condition_variable changed;
  bool ends = false;
  std::vector<ServerState> states;
  std::vector<std::thread> threads;

  bool wait(milliseconds time) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, time, [this] { return ends; });
  }

  void watch(size_t at) {
    double active_s = now_clock_s();
    for (;;) {
      const double clock_s = now_clock_s();
      ServerState state = sources[at]->look(clock_s);
      if (!state.running.empty() || !state.finished.empty()) active_s = clock_s;
      const int pause = next_look_ms(state, clock_s - active_s, preferences);
      {
        const std::lock_guard lock(mutex);
        // Ends that nobody has taken yet stay.
        state.finished.insert(state.finished.begin(), states[at].finished.begin(),
                              states[at].finished.end());
        states[at] = std::move(state);
      }
      if (wait(milliseconds(pause))) return;
    }
  }

  std::vector<ServerState> take_states() {
    const std::lock_guard lock(mutex);
    std::vector<ServerState> taken;
    for (ServerState& state : states) {
      if (!state.url.empty()) taken.push_back(state);
      state.finished.clear();
    }
    return taken;
  }

  void compose() {
    Composer composer(preferences);
    for (;;) {
      const double clock_s = now_clock_s();
      const Snapshot snapshot = composer.compose(clock_s, take_states(), reader.read(clock_s));
      on_snapshot(snapshot);
      const int pause =
          snapshot.is_active() ? preferences.speed_interval : preferences.polling_interval;
      if (wait(milliseconds(pause))) return;
    }
  }
};

Poller::Poller(const Preferences& preferences, Parts parts, OnSnapshot on_snapshot)
    : state_(std::make_unique<State>(preferences, std::move(parts), std::move(on_snapshot))) {
  for (size_t at = 0; at < state_->sources.size(); ++at)
    state_->threads.emplace_back([state = state_.get(), at] { state->watch(at); });
  state_->threads.emplace_back([state = state_.get()] { state->compose(); });
}

Poller::~Poller() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ends = true;
  }
  state_->changed.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
}

Poller::Parts parts_of(const Preferences& preferences) {
  Poller::Parts parts{.sensors = platform::open_sensors()};
  const OllamaPlaces places = ollama_places();
  for (const std::string& url : preferences.urls()) {
    if (url == preferences.ollama_url())
      parts.sources.push_back(ollama_source(url, places));
    else
      parts.sources.push_back(detected_source(url, places));
  }
  return parts;
}

Snapshot look_once(const Preferences& preferences, Poller::Parts parts, double pause_s) {
  MachineReader reader(preferences, std::move(parts.sensors));
  reader.read(now_clock_s());
  std::vector<ServerState> states;
  const auto any_state = [&](const auto& holds) {
    return std::any_of(states.begin(), states.end(), holds);
  };
  for (int round = 0; round < 3; ++round) {
    // A request that began just now has no speed yet: one look more.
    if (round == 2 && !any_state(has_request_without_speed)) break;
    if (round > 0) {
      const bool any = any_state([](const ServerState& state) { return state.reachable; });
      std::this_thread::sleep_for(std::chrono::duration<double>(any ? pause_s : pause_s / 4));
    }
    states.clear();
    for (const auto& source : parts.sources) states.push_back(source->look(now_clock_s()));
  }
  // The rates of sensors need a second look too, whatever their interval.
  const double clock_s = now_clock_s();
  return Composer(preferences).compose(clock_s, std::move(states), reader.read(clock_s + 60));
}

}  // namespace toolkit::monitor
