#include <algorithm>
#include <utility>

#include "core/monitor/sources/metrics_text.h"
#include "core/monitor/sources/ollama_answers.h"
#include "core/monitor/sources/slots.h"
#include "core/monitor/sources/source.h"

namespace toolkit::monitor {

namespace {

constexpr double kModelSeconds = 5;

/// llama-server's counter of tokens written so far.
constexpr const char* kTokenCounter = "llamacpp:tokens_predicted_total";

std::string first_model(const Json& answer) {
  for (const char* key : {"data", "models"}) {
    const auto list = answer.is_object() ? answer.find(key) : answer.end();
    if (list == answer.end() || !list->is_array() || list->empty()) continue;
    const std::string id = text_of(list->front(), *key == 'd' ? "id" : "name");
    // llama-server calls a model by its file.
    if (!id.empty())
      return id.substr(
          id.find_last_of('/') == id.npos || !id.starts_with('/') ? 0 : id.find_last_of('/') + 1);
  }
  return "";
}

class SlotsSource : public Source {
 public:
  explicit SlotsSource(const std::string& url) : probe_(url), meter_(url, "") {}

  ServerState look(double time_s) override {
    ServerState state{.url = probe_.url(), .kind = ServerKind::kLlamaServer};
    if (time_s - model_s_ >= kModelSeconds || model_.empty()) look_at_model(time_s, state);
    std::string trouble;
    const auto answer = probe_.json("/slots", trouble);
    if (answer && answer->is_array()) {
      look_at_slots(time_s, slots_of(*answer), state);
    } else if (!look_at_metrics(time_s, state)) {
      state.trouble = trouble;
      state.failure = probe_.failure();
      state.failures = ++failures_;
      model_s_ = -1e9;
      return state;
    }
    failures_ = 0;
    state.reachable = true;
    state.trouble.clear();
    return state;
  }

 private:
  void look_at_model(double time_s, ServerState& state) {
    const auto answer = probe_.json("/v1/models", state.trouble);
    if (!answer) return;
    model_s_ = time_s;
    model_ = first_model(*answer);
  }

  void look_at_slots(double time_s, const std::vector<Slot>& slots, ServerState& state) {
    LoadedModel loaded{.name = model_};
    for (const Slot& slot : slots)
      if (slot.context_length > 0)
        loaded.context_length = std::max(loaded.context_length.value_or(0), slot.context_length);
    if (!model_.empty()) state.models.push_back(std::move(loaded));
    meter_.look(time_s, slots, model_, state);
  }

  bool look_at_metrics(double time_s, ServerState& state) {
    std::string trouble;
    const auto text = probe_.text("/metrics", trouble);
    if (!text) return false;
    const auto metrics = parse_metrics(*text);
    const double tokens = metric_sum(metrics, kTokenCounter, -1);
    if (tokens < 0) return false;
    counter_.add(time_s, static_cast<int64_t>(tokens));
    if (!model_.empty()) state.models.push_back({.name = model_});
    const auto speed = counter_.per_second();
    if (!speed || *speed <= 0) return true;
    state.running.push_back({.id = "metrics",
                             .model = model_,
                             .server = probe_.url(),
                             .way = Way::kMetrics,
                             .quality = Quality::kEstimated,  // counted when an answer ends
                             .tokens_per_second = speed});
    return true;
  }

  Probe probe_;
  SlotMeter meter_;
  TokenMeter counter_;
  std::string model_;
  double model_s_ = -1e9;
  int failures_ = 0;
};

}  // namespace

std::unique_ptr<Source> llama_server_source(const std::string& url) {
  return std::make_unique<SlotsSource>(url);
}

}  // namespace toolkit::monitor
