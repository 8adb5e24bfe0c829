#include "projects/serve/routes.h"

#include <algorithm>

#include "projects/serve/api_error.h"

namespace toolkit::serve {

namespace {

std::vector<Route> make_routes() {
  std::vector<Route> routes;
  add_health_routes(routes);
  add_models_routes(routes);
  add_openai_chat_routes(routes);
  add_openai_completions_routes(routes);
  add_embeddings_routes(routes);
  add_files_routes(routes);
  add_fine_tuning_routes(routes);
  add_ollama_models_routes(routes);
  add_ollama_store_routes(routes);
  add_ollama_text_routes(routes);
  add_openapi_routes(routes);
  return routes;
}

}  // namespace

void fail_call(const Call& call, const std::exception_ptr& exception) {
  const ApiError error = api_error_of(exception);
  call.exchange->respond(error_response(call.request().path, error));
}

Jobs& jobs_of(const Call& call) {
  if (!call.service.jobs)
    throw ApiError(503, "this server takes no files and fine-tuning jobs (--fine-tuning)");
  return *call.service.jobs;
}

const std::vector<Route>& all_routes() {
  static const std::vector<Route> routes = make_routes();
  return routes;
}

bool matches(const Route& route, std::string_view path, std::string& rest) {
  const std::string_view pattern = route.path;
  const size_t open = pattern.find('{');
  if (open == std::string_view::npos) return path == pattern;
  const size_t close = pattern.find('}', open);
  const std::string_view before = pattern.substr(0, open), after = pattern.substr(close + 1);
  const bool whole = pattern.substr(0, close).ends_with("...");
  if (path.size() <= before.size() + after.size() || !path.starts_with(before) ||
      !path.ends_with(after))
    return false;
  rest = path.substr(before.size(), path.size() - before.size() - after.size());
  return whole || rest.find('/') == std::string::npos;
}

void answer(Service& service, const ExchangePtr& exchange) {
  Call call{service, exchange, ""};
  const std::string& path = exchange->request().path;
  const std::string method =
      exchange->request().method == "HEAD" ? "GET" : exchange->request().method;
  std::string allowed;
  try {
    for (const Route& route : all_routes()) {
      if (!matches(route, path, call.rest)) continue;
      if (route.method == method) {
        service.metrics.requested(route.method + " " + route.path);
        return route.answer(call);
      }
      if (allowed.find(route.method) == std::string::npos)
        allowed += (allowed.empty() ? "" : ", ") + route.method;
    }
  } catch (...) {
    return fail_call(call, std::current_exception());
  }
  if (allowed.empty())
    return exchange->respond(
        error_response(path, ApiError(404, "there is nothing at " + path.substr(0, 200))));
  auto refused =
      error_response(path, ApiError(405, fmt::format("{} takes {}, not {}", path.substr(0, 200),
                                                     allowed, exchange->request().method)));
  refused.headers.push_back({"Allow", allowed});
  exchange->respond(std::move(refused));
}

void respond_json(const Call& call, const Json& json, int status) {
  call.exchange->respond(
      {.status = status, .body = json.dump(-1, ' ', false, Json::error_handler_t::replace)});
}

OrderedJson json_body(const Call& call) {
  std::string_view type = call.request().header("Content-Type");
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  // curl's own type is taken where Ollama's documentation sends it.
  const bool ollama = call.request().path.starts_with("/api/");
  if (!http::server::same_word(type, "application/json") && !ollama)
    throw ApiError(415,
                   fmt::format("expected the Content-Type application/json, found '{}'", type));
  return parse_body(call.request().body);
}

void with_model(const Call& call, const std::string& name, std::optional<double> keep_alive,
                std::function<void(ModelLease)> then) {
  call.service.pool.use(name, keep_alive, std::move(then),
                        [call](const std::exception_ptr& error) { fail_call(call, error); });
}

}  // namespace toolkit::serve
