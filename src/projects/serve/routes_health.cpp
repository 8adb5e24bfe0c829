#include "projects/serve/routes.h"

namespace toolkit::serve {

namespace {

/// 200 when requests can be answered; 503 while the models of the start are loaded; 500 when an
/// engine ended by an error: restart the server.
void health(const Call& call) {
  const auto loaded = call.service.pool.loaded();
  for (const LoadedInfo& model : loaded)
    if (!model.healthy)
      return respond_json(call, {{"status", "error"}, {"model", model.base}}, 500);
  if (!call.service.ready) return respond_json(call, {{"status", "loading"}}, 503);
  respond_json(call, {{"status", "ok"}, {"models_loaded", loaded.size()}});
}

void metrics(const Call& call) {
  call.exchange->respond({.content_type = "text/plain; version=0.0.4; charset=utf-8",
                          .body = call.service.metrics.text(
                              call.service.pool.loaded(),
                              call.service.jobs ? call.service.jobs->store.jobs_by_state()
                                                : std::map<std::string, int>{},
                              call.service.connections(), call.service.version)});
}

/// What runs and waits, in numbers.
void slots(const Call& call) {
  Json all = Json::array();
  for (const LoadedInfo& model : call.service.pool.loaded())
    for (const engine::SequenceState& one : model.state.sequences)
      all.push_back({{"id", one.id},
                     {"model", one.adapter.empty() ? model.base : one.adapter},
                     {"is_processing", one.generating || one.computed_tokens > 0},
                     {"state", one.generating            ? "generating"
                               : one.computed_tokens > 0 ? "reading"
                                                         : "waiting"},
                     {"prompt_tokens", one.prompt_tokens},
                     {"computed_tokens", one.computed_tokens},
                     {"cached_tokens", one.cached_tokens},
                     {"generated_tokens", one.generated_tokens},
                     {"age_seconds", one.age_seconds},
                     {"tokens_per_second", one.tokens_per_second}});
  respond_json(call, all);
}

}  // namespace

void add_health_routes(std::vector<Route>& routes) {
  routes.push_back({"GET", "/health", health});
  routes.push_back({"GET", "/metrics", metrics});
  routes.push_back({"GET", "/slots", slots});
}

}  // namespace toolkit::serve
