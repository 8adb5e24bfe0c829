#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.h"
#include "core/base/ordered_json.h"
#include "core/http/server/server.h"
#include "projects/serve/members.h"
#include "projects/serve/service.h"

namespace toolkit::serve {

using http::server::Exchange;
using ExchangePtr = std::shared_ptr<Exchange>;

/// A request on its way to the function that answers it.
struct Call {
  Service& service;
  ExchangePtr exchange;
  std::string rest;  // what stands for {name} in the route's path

  const http::server::Request& request() const { return exchange->request(); }
};

/// One line of the route table. `path` may end in "{name}", which takes one part, or "{name...}",
/// which takes all that follows; "{name}/events" works too.
struct Route {
  std::string method, path;
  std::function<void(const Call&)> answer;
};

/// Every route of the server.
const std::vector<Route>& all_routes();

/// Answers by the table: 404 for a path that is not there, 405 with Allow for another method; HEAD
/// is answered as GET. What a route throws is told in its API's form.
void answer(Service& service, const ExchangePtr& exchange);

/// Whether `path` is that of the route; then `rest` is what stands for its {name}.
bool matches(const Route& route, std::string_view path, std::string& rest);

void respond_json(const Call& call, const Json& json, int status = 200);

/// The body, which must be JSON by its content type (415 if not).
OrderedJson json_body(const Call& call);

/// Answers with what was thrown.
void fail_call(const Call& call, const std::exception_ptr& exception);

/// What keeps files and jobs. Throws ApiError(503) where the server takes none.
Jobs& jobs_of(const Call& call);

/// Calls `then` with the model when it is there; what goes wrong is answered.
void with_model(const Call& call, const std::string& name, std::optional<double> keep_alive,
                std::function<void(ModelLease)> then);

// One function per group, each in routes_<group>.cpp; they append to the table.
void add_openai_chat_routes(std::vector<Route>& routes);
void add_openai_completions_routes(std::vector<Route>& routes);
void add_models_routes(std::vector<Route>& routes);
void add_ollama_text_routes(std::vector<Route>& routes);
void add_ollama_models_routes(std::vector<Route>& routes);
void add_ollama_store_routes(std::vector<Route>& routes);
void add_embeddings_routes(std::vector<Route>& routes);
void add_files_routes(std::vector<Route>& routes);
void add_fine_tuning_routes(std::vector<Route>& routes);
void add_health_routes(std::vector<Route>& routes);
void add_openapi_routes(std::vector<Route>& routes);

}  // namespace toolkit::serve
