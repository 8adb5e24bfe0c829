#include "core/monitor/history/recorder.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace toolkit::monitor {

namespace {

constexpr double kIdleSeconds = 600;    // without a request a session ends
constexpr double kSilenceSeconds = 60;  // without a snapshot, too: this program was stopped
constexpr double kJumpSeconds = 5;      // between the two clocks
constexpr double kCompactSeconds = 600;

}  // namespace

SessionTracker::Change SessionTracker::take(const Snapshot& snapshot) {
  Change change;
  if (clock_s_) {
    const double passed = snapshot.clock_s - *clock_s_;
    const double drift = static_cast<double>(snapshot.time_s - time_s_) - passed;
    // What was written of them last is how they ended.
    if (std::abs(drift) > kJumpSeconds || passed > kSilenceSeconds) open_.clear();
  }
  clock_s_ = snapshot.clock_s;
  time_s_ = snapshot.time_s;
  begin_and_end(snapshot, change);
  add_samples(snapshot, change);
  return change;
}

void SessionTracker::begin_and_end(const Snapshot& snapshot, Change& change) {
  std::map<std::string, bool> present;  // by model: whether something runs or ran
  for (const LoadedModel& model : snapshot.models()) present[model.name] = false;
  for (const RunningRequest& request : snapshot.running)
    if (!request.model.empty()) present[request.model] = true;
  for (const FinishedRequest& request : snapshot.finished)
    if (!request.model.empty()) present[request.model] = true;
  for (const auto& [model, is_active] : present) {
    const auto known = open_.find(model);
    const bool is_idle = known != open_.end() && !is_active &&
                         snapshot.clock_s - known->second.active_clock_s > kIdleSeconds;
    if (is_idle) known->second.session.model_name.clear();  // over, though the model stays loaded
    if (known != open_.end() && known->second.session.model_name.empty() && is_active)
      open_.erase(known);
    auto [at, is_new] = open_.try_emplace(model);
    Open& open = at->second;
    if (is_new) {
      open.session.model_name = model;
      open.session.started_at_s = snapshot.time_s;
      open.started_clock_s = open.active_clock_s = snapshot.clock_s;
    }
    if (open.session.model_name.empty()) continue;
    if (is_active) open.active_clock_s = snapshot.clock_s;
    open.session.ended_at_s =
        open.session.started_at_s + std::lround(snapshot.clock_s - open.started_clock_s);
    count(open, snapshot);
    // Ten seconds are enough for one that waits.
    if (!is_active && snapshot.clock_s - open.written_clock_s < 9.9) continue;
    open.written_clock_s = snapshot.clock_s;
    change.sessions.push_back(open.session);
  }
  std::erase_if(open_, [&](const auto& entry) { return !present.contains(entry.first); });
}

void SessionTracker::count(Open& open, const Snapshot& snapshot) {
  const std::string& model = open.session.model_name;
  const auto add = [](Count& to, int64_t tokens, const std::optional<double>& speed) {
    to.tokens += tokens;
    if (speed && *speed > 0) to.seconds += static_cast<double>(tokens) / *speed;
  };
  for (const FinishedRequest& request : snapshot.finished)
    if (request.model == model)
      add(open.finished[request.way], request.tokens, request.tokens_per_second);
  std::map<Way, Count> now = open.finished;
  for (const RunningRequest& request : snapshot.running)
    if (request.model == model)
      add(now[request.way], request.tokens.value_or(0), request.tokens_per_second);
  for (const auto& [way, seen] : now) {
    if (seen.tokens < open.session.total_tokens || seen.tokens == 0) continue;
    open.session.total_tokens = seen.tokens;
    if (seen.seconds > 0)
      open.session.avg_tokens_per_sec = static_cast<double>(seen.tokens) / seen.seconds;
  }
  for (const LoadedModel& loaded : snapshot.models())
    if (loaded.name == model && loaded.size_bytes)
      open.session.peak_memory_gb = std::max(open.session.peak_memory_gb.value_or(0),
                                             static_cast<double>(*loaded.size_bytes) / 1e9);
}

void SessionTracker::add_samples(const Snapshot& snapshot, Change& change) {
  std::map<std::string, Sample> samples;
  for (const LoadedModel& model : snapshot.models())
    samples[model.name].model_bytes = model.size_bytes;
  for (const RunningRequest& request : snapshot.running) {
    Sample& sample = samples[request.model];
    if (request.tokens_per_second)
      sample.tokens_per_second = sample.tokens_per_second.value_or(0) + *request.tokens_per_second;
  }
  const bool is_idle = snapshot.running.empty();
  const int resolution = !is_idle ? 1 : samples.empty() ? 60 : 10;
  if (is_idle && snapshot.clock_s - sampled_clock_s_ < resolution - 0.1) return;
  sampled_clock_s_ = snapshot.clock_s;
  if (samples.empty()) samples[""];
  const MachineReading& machine = snapshot.machine;
  for (auto& [model, sample] : samples) {
    sample.time_s = snapshot.time_s;
    sample.resolution_s = resolution;
    sample.model = model;
    sample.gpu_percent = machine.gpu_use_percent();
    sample.temperature_c = machine.temperature_c();
    sample.power_w = machine.total_power_w();
    if (machine.memory.total_bytes > 0)
      sample.memory_used_bytes = machine.memory.total_bytes - machine.memory.available_bytes;
    change.samples.push_back(sample);
  }
}

void SessionTracker::name(const std::vector<Session>& written) {
  for (const Session& session : written)
    if (const auto at = open_.find(session.model_name); at != open_.end())
      at->second.session.id = session.id;
}

Recorder::Recorder(const std::filesystem::path& file, int keep_days)
    : file_(file), keep_days_(keep_days) {}

void Recorder::try_to_begin(double clock_s) {
  if (clock_s - tried_s_ < 10) return;
  tried_s_ = clock_s;
  std::filesystem::create_directories(file_.parent_path());
  auto lock = files::FileLock::try_take(file_.string() + ".lock", files::LockMode::kExclusive,
                                        "mlx-dash records");
  if (!lock.held()) return;
  lock_.emplace(std::move(lock));
  history_.emplace(History::open(file_));
}

void Recorder::take(const Snapshot& snapshot) {
  if (!history_) try_to_begin(snapshot.clock_s);
  // Ends of requests count whenever they come; the rest once a second.
  if (!history_ || (snapshot.clock_s - written_s_ < 0.9 && snapshot.finished.empty())) return;
  written_s_ = snapshot.clock_s;
  SessionTracker::Change change = tracker_.take(snapshot);
  if (!change.samples.empty() || !change.sessions.empty()) {
    history_->write(change.samples, change.sessions);
    tracker_.name(change.sessions);
  }
  if (snapshot.clock_s - compacted_s_ >= kCompactSeconds) {
    compacted_s_ = snapshot.clock_s;
    history_->compact(snapshot.time_s, keep_days_);
  }
}

}  // namespace toolkit::monitor
