#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/http/client.h"
#include "core/http/server/server.h"
#include "projects/serve/api_error.h"
#include "projects/serve/routes.h"
#include "projects/serve/scripted_engine_for_tests.h"
#include "projects/serve/service.h"

namespace toolkit::serve::testing {

struct Reply {
  int status;
  std::string body;
  http::Response response;
  Json json() const { return Json::parse(body); }
};

/// A whole server around a scripted engine: the models "tiny" and, as its adapter, "tuned".
class Served {
 public:
  explicit Served(Config config = {})
      : script(std::make_shared<Script>()),
        service(
            std::move(config),
            {.load = [told = script](const std::string&, bool fast) -> std::unique_ptr<TextEngine> {
               told->fast = fast;
               return std::make_unique<ScriptedEngine>(told);
             },
             .plan_bytes =
                 [this](const std::string&) { return PlannedBytes{planned_bytes, speed_bytes}; },
             .available_bytes = [this] { return available_bytes.load(); },
             .low_bytes = 100}) {
    script->say = [](const engine::BatchRequest&) { return says({"Hello", " there"}); };
    service.names.installed = [] { return std::vector<ServedModel>(); };
    service.names.add({.name = "tiny", .base = tiny_model_path()});
    service.names.add({.name = "tuned",
                       .base = tiny_model_path(),
                       .adapter = "/nowhere",
                       .origin = ServedModel::Origin::kAdapter});
    service.embedders = std::make_unique<Embedders>(EmbedderOptions{});
    service.ready = true;
    http::server::ServerOptions options;
    options.refuse = [](const http::server::Request& head, int status, const std::string& message) {
      return error_response(head.path, ApiError(status, message));
    };
    server = std::make_unique<http::server::Server>(
        options, [this](const ExchangePtr& exchange) { answer(service, exchange); });
  }

  Reply send(const std::string& method, const std::string& path, const std::string& body = "",
             const std::string& type = "application/json") {
    http::Client client({.retry = {.attempts = 1}});
    http::Request request{
        .method = method,
        .url = http::parse_url("http://127.0.0.1:" + std::to_string(server->port()) + path),
        .body = body};
    if (!type.empty()) request.headers.push_back({"Content-Type", type});
    http::Response response = client.send(request);
    return {response.status, response.body, response};
  }
  Reply post(const std::string& path, const Json& json) { return send("POST", path, json.dump()); }
  Reply get(const std::string& path) { return send("GET", path, "", ""); }

  std::shared_ptr<Script> script;
  int64_t planned_bytes = 10, speed_bytes = 0;
  std::atomic<int64_t> available_bytes{1000};
  Service service;
  std::unique_ptr<http::server::Server> server;
};

/// A chat request of one user message, with these members.
inline Json chat(Json more = Json::object()) {
  Json body = {{"model", "tiny"}, {"messages", {{{"role", "user"}, {"content", "Hi"}}}}};
  body.update(more);
  return body;
}

/// The objects of a text of server-sent events, without [DONE]; `done` tells whether that came
/// last.
inline std::vector<Json> events_of(const std::string& text, bool& done) {
  std::vector<Json> events;
  done = false;
  size_t at = 0;
  while ((at = text.find("data: ", at)) != std::string::npos) {
    const size_t end = text.find("\n\n", at);
    const std::string data = text.substr(at + 6, end - at - 6);
    done = data == "[DONE]";
    if (!done) events.push_back(Json::parse(data));
    at = end;
  }
  return events;
}

inline std::vector<Json> lines_of(const std::string& text) {
  std::vector<Json> lines;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(Json::parse(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return lines;
}

}  // namespace toolkit::serve::testing
