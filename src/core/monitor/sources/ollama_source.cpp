#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <utility>

#include "core/base/paths.h"
#include "core/http/url.h"
#include "core/model_store/settings.h"
#include "core/monitor/sources/journal_tail.h"
#include "core/monitor/sources/log_requests.h"
#include "core/monitor/sources/ollama_answers.h"
#include "core/monitor/sources/runners.h"
#include "core/monitor/sources/slots.h"
#include "core/monitor/sources/source.h"

namespace toolkit::monitor {

namespace {

/// Share of a processor above which a runner surely computes; one that waits uses next to none.
constexpr double kBusyShare = 0.05;
constexpr double kRunnerSearchSeconds = 2;

class OllamaSource : public Source {
 public:
  OllamaSource(const std::string& url, OllamaPlaces places)
      : probe_(url),
        places_(std::move(places)),
        is_here_(http::is_loopback(http::parse_url(url))),
        tail_(places_.log),
        journal_(places_.unit),
        log_requests_(url) {}

  ServerState look(double time_s) override {
    ServerState state{.url = probe_.url(), .kind = ServerKind::kOllama};
    const auto answer = probe_.json("/api/ps", state.trouble);
    const auto loaded = answer ? parse_ollama_ps(*answer) : std::nullopt;
    if (!loaded) {
      if (answer) state.trouble = "/api/ps does not answer as Ollama does";
      state.failure = answer ? Failure::kForeign : probe_.failure();
      state.failures = ++failures_;
      version_.clear();
      return state;
    }
    failures_ = 0;
    state.reachable = true;
    std::string ignored;
    if (version_.empty())
      if (const auto told = probe_.json("/api/version", ignored))
        version_ = text_of(*told, "version");
    state.version = version_;
    state.models = loaded->models;
    if (is_here_) {
      look_at_runners(time_s, state);
      look_at_log(time_s, state);
    }
    look_at_ends(*loaded, state);
    return state;
  }

 private:
  struct Known {
    Runner runner;
    std::string model;
    std::unique_ptr<Probe> probe;
    SlotMeter meter;
    bool has_slots = true;
    double looked_s = 0, processor_s = -1;
    bool is_busy = false;
  };

  void look_at_runners(double time_s, ServerState& state) {
    if (state.models.empty()) {
      runners_.clear();
      return;
    }
    if (time_s - searched_s_ >= kRunnerSearchSeconds || runners_.empty()) search(time_s, state);
    for (auto& [port, known] : runners_) {
      note_use(time_s, known);
      if (known.has_slots) look_at_slots(time_s, known, state);
      // A runner without slots that uses the processor works on something; how fast it is is not
      // known.
      if (!known.has_slots && known.is_busy)
        state.running.push_back({.id = "runner " + std::to_string(port),
                                 .model = known.model,
                                 .server = probe_.url(),
                                 .way = Way::kHint});
    }
  }

  void look_at_slots(double time_s, Known& known, ServerState& state) {
    std::string trouble;
    const auto answer = known.probe->json("/slots", trouble);
    if (answer && answer->is_array())
      known.meter.look(time_s, slots_of(*answer), known.model, state);
    else if (known.probe->answered())
      known.has_slots = false;  // Ollama before 0.30, or MLX
  }

  void search(double time_s, const ServerState& state) {
    searched_s_ = time_s;
    std::set<int> present;
    for (const Runner& runner : find_runners(places_.process_root)) {
      present.insert(runner.port);
      const auto known = runners_.find(runner.port);
      if (known != runners_.end() && known->second.runner.pid == runner.pid) continue;
      runners_.insert_or_assign(
          runner.port,
          Known{.runner = runner,
                .model = name_of(runner, state.models),
                .probe = std::make_unique<Probe>("http://127.0.0.1:" + std::to_string(runner.port)),
                .meter = SlotMeter(probe_.url(), "port " + std::to_string(runner.port) + " ")});
    }
    std::erase_if(runners_, [&](const auto& entry) { return !present.contains(entry.first); });
  }

  void note_use(double time_s, Known& known) const {
    const double before_s =
        std::exchange(known.processor_s, processor_seconds(places_.process_root, known.runner.pid));
    const double seconds = time_s - std::exchange(known.looked_s, time_s);
    known.is_busy = before_s >= 0 && known.processor_s >= 0 && seconds > 0 &&
                    (known.processor_s - before_s) / seconds > kBusyShare;
  }

  std::string name_of(const Runner& runner, const std::vector<LoadedModel>& models) const {
    if (models.size() == 1) return models[0].name;
    std::vector<std::string> names;
    for (const LoadedModel& model : models) names.push_back(model.name);
    return model_of_blob(places_.models, runner.model, names);
  }

  void look_at_log(double time_s, ServerState& state) {
    std::vector<LogEvent> events;
    std::vector<std::string> lines = tail_.new_lines();
    for (std::string& line : journal_.new_lines(time_s)) lines.push_back(std::move(line));
    for (const std::string& line : lines)
      if (const auto event = parse_log_line(line)) events.push_back(*event);
    state.log_trouble = journal_.trouble();
    // A log does not say which model a line is about.
    const std::string model = state.models.size() == 1 ? state.models[0].name : "";
    log_requests_.look(time_s, events, model, state);
  }

  /// A model's time of unloading is set anew when a request ends: the only trace of one that came
  /// and went between two looks.
  void look_at_ends(const OllamaLoaded& loaded, ServerState& state) {
    std::map<std::string, std::string> now;
    for (size_t at = 0; at < loaded.models.size(); ++at)
      now[loaded.models[at].name] = loaded.expires_at[at];
    for (const auto& [model, expires_at] : now) {
      const auto before = expires_at_.find(model);
      const bool told = std::any_of(state.finished.begin(), state.finished.end(),
                                    [&](const auto& one) { return one.model == model; });
      if (before != expires_at_.end() && before->second != expires_at && !told)
        state.finished.push_back({.model = model, .server = probe_.url()});
    }
    expires_at_ = std::move(now);
  }

  Probe probe_;
  OllamaPlaces places_;
  const bool is_here_;  // else this machine's processes and logs are another server's
  LogTail tail_;
  JournalTail journal_;
  LogRequests log_requests_;
  std::string version_;
  int failures_ = 0;
  double searched_s_ = -1e9;
  std::map<int, Known> runners_;
  std::map<std::string, std::string> expires_at_;
};

}  // namespace

OllamaPlaces ollama_places() {
  return {.log = expanded_path("~/.ollama/logs/server.log"),
          .models = model_store::read_environment().ollama_models,
          .unit = ollama_unit()};
}

std::unique_ptr<Source> ollama_source(const std::string& url, const OllamaPlaces& places) {
  return std::make_unique<OllamaSource>(url, places);
}

}  // namespace toolkit::monitor
